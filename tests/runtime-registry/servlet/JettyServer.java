/* SPDX-License-Identifier: Apache-2.0 */

import java.net.InetSocketAddress;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.util.thread.VirtualThreadPool;

/**
 * Jetty whose servlets run on virtual threads; the selectors keep their platform threads, one of
 * which may read a head and hand it over.
 *
 * <p>Room rule: only the server; the servlet is TomcatServer's.
 */
final class JettyServer {
    public static void main(String[] args) throws Exception {
        var threads = new QueuedThreadPool();
        threads.setVirtualThreadsExecutor(new VirtualThreadPool());
        var server = new Server(threads);
        var connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        connector.setPort(Calls.port());
        server.addConnector(connector);
        var context = new ServletContextHandler("/");
        var holder = new ServletHolder(new CallsServlet());
        holder.setInitOrder(1);
        context.addServlet(holder, "/*");
        server.setHandler(context);
        server.start();
        server.join();
    }
}
