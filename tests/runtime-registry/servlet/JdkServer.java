/* SPDX-License-Identifier: Apache-2.0 */

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;

/**
 * The JDK's own server with one virtual thread per exchange. Needs nothing but a JDK, 21 or later.
 *
 * <p>Room rule: only the server; the calls are in Calls.
 */
final class JdkServer {
    private static final Calls CALLS = new Calls();

    public static void main(String[] args) throws IOException {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Calls.port()), 128);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", JdkServer::serve);
        CALLS.startTicker();
        server.start();
    }

    private static void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            exchange.getRequestBody().readAllBytes();
            String id = Calls.id(exchange.getRequestURI().getQuery());
            int status = work(id);
            byte[] answer = id.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, answer.length == 0 ? -1 : answer.length);
            exchange.getResponseBody().write(answer);
        }
    }

    private static int work(String id) {
        try {
            CALLS.work(id);
            return 200;
        } catch (Exception failure) {
            failure.printStackTrace();
            return 502;
        }
    }
}
