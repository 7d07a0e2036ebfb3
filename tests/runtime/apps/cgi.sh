#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A CGI script: the calls are made by curl.
up=${UPSTREAM:-$(cat "${0%/*}/upstream")}
id=${QUERY_STRING#id=}
[ "$REQUEST_METHOD" != POST ] || cat >/dev/null
if [ "$id" != 0 ]; then
    curl -s "http://$up/?id=$id&leg=a" >/dev/null
    (curl -s "http://$up/?id=$id&leg=c" | cat) >/dev/null
    for leg in d; do curl -s "http://$up/?id=$id&leg=$leg" >/dev/null; done
fi
printf 'Content-Type: text/plain\r\n\r\n%s' "$id"
