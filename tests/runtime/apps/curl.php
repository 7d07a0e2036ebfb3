<?php
// SPDX-License-Identifier: Apache-2.0
// PHP's curl extension, loaded with RTLD_DEEPBIND: one handle for two requests, a POST, and two at once.
$up = getenv('UPSTREAM') ?: trim(file_get_contents(__DIR__ . '/upstream'));
$i = $_GET['id'];
$decoy = sprintf("GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n", 0xdec0);
file_get_contents('php://input');

function handle(string $url, array $more = [])
{
    $c = curl_init($url);
    curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_USERAGENT => 'curl'] + $more);
    return $c;
}

if ($i !== '0') {
    $c = handle("http://$up/?id=$i&leg=a");
    curl_exec($c);
    curl_setopt($c, CURLOPT_URL, "http://$up/?id=$i&leg=c");
    curl_exec($c);
    curl_exec(handle("http://$up/?id=$i&leg=b", [CURLOPT_POSTFIELDS => str_repeat($decoy, 20) . $i]));
    $multi = curl_multi_init();
    foreach (['d', 'e'] as $leg)
        curl_multi_add_handle($multi, $h[] = handle("http://$up/?id=$i&leg=$leg"));
    do {
        curl_multi_exec($multi, $running);
        curl_multi_select($multi, 0.1);
    } while ($running);
}
header('Content-Type: text/plain');
echo $i;
