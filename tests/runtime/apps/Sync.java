// SPDX-License-Identifier: Apache-2.0
// com.sun HttpServer, Tomcat or Jetty, and the ways a Java handler makes its calls.
// java Sync.java PORT SERVER CALLS: SERVER jdk|tomcat|jetty; CALLS huc|client|async|executor|shared
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.util.concurrent.*;

public class Sync {
    static final String UP = System.getenv("UPSTREAM");
    static final String DECOY = String.format(
        "GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n", 0xdec0).repeat(20);
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    static final ExecutorService POOL = Executors.newFixedThreadPool(8);
    static String how;

    static String url(String i, String leg) {
        return "http://" + UP + "/?id=" + i + "&leg=" + leg;
    }

    static void huc(String i, String leg, byte[] body) {
        try {
            HttpURLConnection c = (HttpURLConnection) new URL(url(i, leg)).openConnection();
            if (body != null) {
                c.setDoOutput(true);
                c.setRequestProperty("Content-Type", "text/plain");
                c.getOutputStream().write(body);
            }
            c.getInputStream().readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static HttpRequest request(String i, String leg, byte[] body) {
        HttpRequest.Builder b = HttpRequest.newBuilder(URI.create(url(i, leg)));
        return (body == null ? b.GET() : b.POST(HttpRequest.BodyPublishers.ofByteArray(body))).build();
    }

    static void client(String i, String leg, byte[] body) throws Exception {
        CLIENT.send(request(i, leg, body), HttpResponse.BodyHandlers.ofString());
    }

    static CompletableFuture<?> async(String i, String leg, byte[] body) {
        return CLIENT.sendAsync(request(i, leg, body), HttpResponse.BodyHandlers.ofString());
    }

    static void calls(String i) throws Exception {
        byte[] body = (DECOY + i).getBytes();
        switch (how) {
            case "huc" -> { huc(i, "a", null); huc(i, "b", body); Thread.sleep(2); huc(i, "c", null); huc(i, "d", null); }
            case "client" -> { client(i, "a", null); client(i, "b", body); client(i, "c", null); client(i, "d", null); }
            case "async" -> { async(i, "a", null).join(); async(i, "b", body).join();
                CompletableFuture.allOf(async(i, "c", null), async(i, "d", null)).join(); }
            default -> { POOL.submit(() -> huc(i, "a", null)).get();
                CompletableFuture.runAsync(() -> huc(i, "b", body), POOL).join();
                CompletableFuture<?> c = CompletableFuture.runAsync(() -> huc(i, "c", null));
                POOL.submit(() -> huc(i, "d", null)).get(); c.join(); }
        }
    }

    static String id(String query) {
        return query.substring(query.indexOf('=') + 1);
    }

    // The answer comes from the very pool that reads the requests: nobody's thread is his own.
    static void shared(com.sun.net.httpserver.HttpExchange x, ExecutorService pool) {
        String i = id(x.getRequestURI().getQuery());
        CompletableFuture.runAsync(() -> huc(i, "a", null), pool)
            .thenRunAsync(() -> huc(i, "b", (DECOY + i).getBytes()), pool)
            .thenRunAsync(() -> huc(i, "c", null), pool).thenRunAsync(() -> huc(i, "d", null), pool)
            .whenComplete((v, e) -> answer(x, i));
    }

    static void answer(com.sun.net.httpserver.HttpExchange x, String i) {
        try {
            x.sendResponseHeaders(200, i.length());
            x.getResponseBody().write(i.getBytes());
            x.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void jdk(int port) throws Exception {
        var s = com.sun.net.httpserver.HttpServer.create(new InetSocketAddress("127.0.0.1", port), 256);
        ExecutorService pool = Executors.newFixedThreadPool(how.equals("shared") ? 8 : 40);
        s.setExecutor(pool);
        s.createContext("/", x -> {
            x.getRequestBody().readAllBytes();
            String i = id(x.getRequestURI().getQuery());
            if (how.equals("shared") && !i.equals("0")) {
                shared(x, pool);
                return;
            }
            try {
                if (!i.equals("0")) calls(i);
            } catch (Exception e) {
                throw new IOException(e);
            }
            answer(x, i);
        });
        s.start();
    }

    public static void main(String[] a) throws Exception {
        how = a[2];
        int port = Integer.parseInt(a[0]);
        switch (a[1]) {
            case "jdk" -> jdk(port);
            default -> Class.forName(a[1]).getMethod("start", int.class).invoke(null, port);
        }
    }
}
