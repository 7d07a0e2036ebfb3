// SPDX-License-Identifier: Apache-2.0
// java Hop PORT: one hop, com.sun.net.httpserver and HttpURLConnection, which keeps connections.
import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.util.concurrent.Executors;

public class Hop {
    public static void main(String[] a) throws Exception {
        URL up = new URL("http://" + System.getenv("UPSTREAM") + "/x");
        HttpServer s = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(a[0])), 256);
        s.setExecutor(Executors.newFixedThreadPool(8));
        s.createContext("/", x -> {
            byte[] body = up.openConnection().getInputStream().readAllBytes();
            x.sendResponseHeaders(200, body.length);
            x.getResponseBody().write(body);
            x.close();
        });
        s.start();
    }
}
