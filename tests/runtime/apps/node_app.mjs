// SPDX-License-Identifier: Apache-2.0
// The same, begun as an ES module.
import { createServer } from 'node:http';
import './node_app.js';
if (typeof createServer !== 'function') throw new Error('no server');
