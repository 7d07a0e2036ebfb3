# SPDX-License-Identifier: Apache-2.0
# A forking HTTP::Daemon with LWP.
use strict;
use HTTP::Daemon;
use HTTP::Response;
use LWP::UserAgent;
my $up = $ENV{UPSTREAM};
my $decoy = sprintf("GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n", 0xdec0);
$SIG{CHLD} = 'IGNORE';
my $d = HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], ReuseAddr => 1, Listen => 128) or die;
while (1) {
    my $c = $d->accept or next;
    if (fork) { close $c; next }
    while (my $r = $c->get_request) {
        my ($i) = $r->uri =~ /id=(\d+)/;
        if ($i) {
            LWP::UserAgent->new->get("http://$up/?id=$i&leg=a");
            my $ua = LWP::UserAgent->new(keep_alive => 2);
            $ua->post("http://$up/?id=$i&leg=b", 'Content-Type' => 'text/plain', Content => $decoy x 20 . $i);
            $ua->get("http://$up/?id=$i&leg=c");
            $ua->get("http://$up/?id=$i&leg=d");
        }
        $c->send_response(HTTP::Response->new(200, 'OK', ['Content-Type' => 'text/plain'], $i));
    }
    exit 0;
}
