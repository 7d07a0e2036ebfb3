/* SPDX-License-Identifier: Apache-2.0 */
/*
 * java.net.http: a request belongs to who hands it to the client; its bytes leave
 * later, from other threads, with other requests'. So it is given its lines there.
 * The program's own request object stays as it is. jvm.c defines this in the client's
 * own package.
 */
package jdk.internal.net.http;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Tracebaton;
import java.util.function.BiPredicate;
import jdk.internal.vm.annotation.Hidden;

final class TracebatonClient implements BiPredicate<String, String> {
    @Override
    public boolean test(String name, String value) {
        return true;
    }

    /** The client begins to send it. */
    static void request(HttpClientImpl client, HttpRequest r) {
        byte[] lines = null;
        try {
            if (!Tracebaton.works())
                return;
            URI uri = r.uri();
            int port = uri.getPort();
            if (port < 0)
                port = "https".equalsIgnoreCase(uri.getScheme()) ? 443 : 80;
            boolean elsewhere = client.followRedirects() != HttpClient.Redirect.NEVER;
            /* The client's own WebSocket requests go another way. */
            if (!(r instanceof HttpRequestImpl))
                lines = Tracebaton.compose(head(r, uri), port, elsewhere);
        } catch (RuntimeException e) {
            lines = null; /* what is wrong with it, the client says itself */
        }
        Tracebaton.promise(r, lines);
    }

    private static byte[] head(HttpRequest r, URI uri) {
        StringBuilder b = new StringBuilder(512);
        String path = uri.getRawPath(), query = uri.getRawQuery(), host = uri.getHost();
        b.append(r.method()).append(' ').append(path == null || path.isEmpty() ? "/" : path);
        if (query != null)
            b.append('?').append(query);
        b.append(" HTTP/1.1\r\nHost: ").append(host);
        if (uri.getPort() >= 0)
            b.append(':').append(uri.getPort());
        b.append("\r\n");
        for (Map.Entry<String, List<String>> e : r.headers().map().entrySet())
            for (String value : e.getValue())
                b.append(e.getKey()).append(": ").append(value).append("\r\n");
        return b.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
    }

    /** In place of r.headers(). */
    static HttpHeaders headers(HttpRequest r) {
        HttpHeaders own = r.headers();
        Object lines = Tracebaton.promised(r);
        if (lines == null)
            return own;
        Map<String, List<String>> all = new LinkedHashMap<>(own.map());
        String text = new String((byte[]) lines, StandardCharsets.ISO_8859_1);
        for (int at = 0, end; (end = text.indexOf("\r\n", at)) > at; at = end + 2) {
            int colon = text.indexOf(':', at);
            String name = text.substring(at, colon);
            List<String> values = new ArrayList<>();
            for (Map.Entry<String, List<String>> e : all.entrySet())
                if (e.getKey().equalsIgnoreCase(name)) {
                    name = e.getKey();
                    values.addAll(e.getValue());
                }
            values.add(text.substring(colon + 1, end).trim());
            all.put(name, values);
        }
        return HttpHeaders.of(all, new TracebatonClient());
    }

    @Hidden
    static long write(SocketChannel channel, ByteBuffer[] from) throws IOException {
        Tracebaton.aside(1);
        try {
            return channel.write(from);
        } finally {
            Tracebaton.aside(-1);
        }
    }
}
