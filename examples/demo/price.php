<?php
// SPDX-License-Identifier: Apache-2.0
// Second hop: the price depends on the stock. It knows nothing of tracing.
$left = (int)file_get_contents('http://' . getenv('STOCK') . '/left?item=' . urlencode($_GET['item']));
header('Content-Type: text/plain');
echo $left > 5 ? '9 EUR' : '12 EUR';
