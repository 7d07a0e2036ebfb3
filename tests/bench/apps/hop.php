<?php
// SPDX-License-Identifier: Apache-2.0
// One hop with PHP's curl extension; a connection each, as nothing of a handle outlives a request.
$c = curl_init('http://' . trim(file_get_contents(__DIR__ . '/upstream')) . '/x');
curl_setopt($c, CURLOPT_RETURNTRANSFER, true);
echo curl_exec($c);
