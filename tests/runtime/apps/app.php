<?php
// SPDX-License-Identifier: Apache-2.0
// Streams and a raw socket written line by line; one connection is kept for two requests.
$up = getenv('UPSTREAM') ?: trim(file_get_contents(__DIR__ . '/upstream'));
$i = $_GET['id'];
$decoy = sprintf("GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n", 0xdec0);
file_get_contents('php://input');
if ($i !== '0') {
    file_get_contents("http://$up/?id=$i&leg=a");
    file_get_contents("http://$up/?id=$i&leg=b", false, stream_context_create(['http' => [
        'method' => 'POST', 'header' => 'Content-Type: text/plain', 'content' => str_repeat($decoy, 20) . $i]]));
    [$host, $port] = explode(':', $up);
    $s = fsockopen($host, (int)$port);
    foreach (['c', 'd'] as $leg) {
        foreach (["GET /?id=$i&leg=$leg HTTP/1.1\r\n", "Host: $up\r\n", "Accept: */*\r\n", "\r\n"] as $line)
            fwrite($s, $line);
        while (trim($line = fgets($s)) !== '')
            ;
        fread($s, 2);
    }
    fclose($s);
}
header('Content-Type: text/plain');
echo $i;
