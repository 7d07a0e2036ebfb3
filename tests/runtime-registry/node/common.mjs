/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the Node services share: where to call, how to wait, the ticker that belongs to no request.
 * Room rule: ordinary code that knows nothing about tracing; no HTTP client of its own.
 */

import { setTimeout as sleep } from 'node:timers/promises';

export const port = Number(process.env.PORT);
export const origin = `http://${process.env.UPSTREAM}`;
export const body = (id) => process.env.DECOY + id;

export const path = (id, leg) => `/?id=${id}&leg=${leg}`;

/* Different ids sleep differently long, so that requests overtake each other. */
export const pause = (id) => sleep([...id].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 6);

/* Whatever these calls carry is wrong. */
export async function tick(call) {
    for (;;) {
        await sleep(10);
        await call('none', 'tick').catch(() => {});
    }
}
