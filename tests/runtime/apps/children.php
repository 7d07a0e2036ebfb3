<?php
// SPDX-License-Identifier: Apache-2.0
// Calls that are made by other programs: curl, started in every way PHP has.
$up = getenv('UPSTREAM') ?: trim(file_get_contents(__DIR__ . '/upstream'));
$i = $_GET['id'];
file_get_contents('php://input');
if ($i !== '0') {
    $url = "http://$up/?id=$i&leg=";
    shell_exec("curl -s '{$url}a'");
    exec("curl -s '{$url}c'", $lines);
    pclose(popen("curl -s '{$url}d' >/dev/null", 'r'));
    proc_close(proc_open(['curl', '-s', $url . 'e'], [1 => ['pipe', 'w']], $pipes));
}
header('Content-Type: text/plain');
echo $i;
