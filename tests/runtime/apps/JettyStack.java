// SPDX-License-Identifier: Apache-2.0
import java.io.IOException;
import java.net.InetSocketAddress;
import javax.servlet.http.*;
import org.eclipse.jetty.server.*;
import org.eclipse.jetty.server.handler.AbstractHandler;

public class JettyStack {
    public static void start(int port) throws Exception {
        Server s = new Server(new InetSocketAddress("127.0.0.1", port));
        s.setHandler(new AbstractHandler() {
            @Override public void handle(String t, Request base, HttpServletRequest q, HttpServletResponse r)
                    throws IOException {
                String i = q.getQueryString().substring(3);
                q.getInputStream().readAllBytes();
                try {
                    if (!i.equals("0")) Sync.calls(i);
                } catch (Exception e) {
                    throw new IOException(e);
                }
                r.setContentType("text/plain");
                r.getWriter().print(i);
                base.setHandled(true);
            }
        });
        s.start();
    }
}
