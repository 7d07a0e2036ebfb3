/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executors;

/**
 * What every virtual-thread service of this folder does for one request: calls out in the ways a
 * JDK offers. A virtual thread changes its carrier at every blocking call, without any libc call
 * that would tell, so a system thread says nothing about whose work it does. With PLAIN set, one
 * call after the other and no ticker: what looks most like one thread per request.
 *
 * <p>Room rule: ordinary code that knows nothing about tracing nor about the server above it.
 */
final class Calls {
    private static final int PATIENCE_MS = 20_000;

    private final String base = "http://" + Objects.requireNonNull(System.getenv("UPSTREAM")) + "/";
    private final String decoy = Objects.requireNonNull(System.getenv("DECOY"));
    private final boolean plain = System.getenv("PLAIN") != null;
    private final HttpClient client =
            HttpClient.newBuilder()
                    .version(HttpClient.Version.HTTP_1_1)
                    .executor(Executors.newVirtualThreadPerTaskExecutor())
                    .build();

    static int port() {
        return Integer.parseInt(System.getenv("PORT"));
    }

    /** The value of `id` in a query string; empty if it has none. */
    static String id(String query) {
        return Arrays.stream(Objects.requireNonNullElse(query, "").split("&"))
                .filter(pair -> pair.startsWith("id="))
                .map(pair -> pair.substring(3))
                .findFirst()
                .orElse("");
    }

    /** All calls of one request; id 0 only asks whether we are there. Throws when a call fails. */
    void work(String id) throws Exception {
        if (id.equals("0")) return;
        urlConnection(id, "new", Map.of("Connection", "close"), null);
        pause(id);
        urlConnection(id, "b", Map.of("Content-Type", "text/plain"), decoy + id);
        if (plain) {
            urlConnection(id, "kept", Map.of(), null);
            return;
        }
        try (var children = Executors.newVirtualThreadPerTaskExecutor()) {
            var child = children.submit(() -> urlConnection(id, "child", Map.of(), null));
            urlConnection(id, "kept", Map.of(), null);
            child.get();
        }
        check(client.send(request(id, "send"), BodyHandlers.discarding()).statusCode());
        pause(id);
        check(client.sendAsync(request(id, "async"), BodyHandlers.discarding()).get().statusCode());
    }

    /** Starts work that belongs to no request: whatever it carries is wrong. */
    void startTicker() {
        if (!plain) Thread.ofVirtual().start(this::tick);
    }

    private void tick() {
        for (;;) {
            try {
                Thread.sleep(10);
                urlConnection("none", "tick", Map.of(), null);
            } catch (IOException upstreamIsGone) {
                // The next tick tries again.
            } catch (InterruptedException end) {
                return;
            }
        }
    }

    private URI uri(String id, String leg) {
        return URI.create(base + "?id=" + id + "&leg=" + leg);
    }

    private HttpRequest request(String id, String leg) {
        return HttpRequest.newBuilder(uri(id, leg)).timeout(Duration.ofMillis(PATIENCE_MS)).build();
    }

    private Void urlConnection(String id, String leg, Map<String, String> headers, String body)
            throws IOException {
        var connection = (HttpURLConnection) uri(id, leg).toURL().openConnection();
        connection.setConnectTimeout(PATIENCE_MS);
        connection.setReadTimeout(PATIENCE_MS);
        headers.forEach(connection::setRequestProperty);
        if (body != null) {
            connection.setDoOutput(true);
            connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
        }
        check(connection.getResponseCode());
        try (InputStream answer = connection.getInputStream()) {
            answer.readAllBytes();
        }
        return null;
    }

    private static void check(int status) throws IOException {
        if (status != 200) throw new IOException("upstream answered " + status);
    }

    /** Different ids sleep differently long, so that requests overtake each other. */
    private static void pause(String id) throws InterruptedException {
        Thread.sleep(id.chars().sum() % 6);
    }
}
