/* SPDX-License-Identifier: Apache-2.0 */

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.catalina.core.StandardVirtualThreadExecutor;
import org.apache.catalina.startup.Tomcat;

/**
 * Embedded Tomcat whose requests run on virtual threads (what Spring Boot sets up with
 * spring.threads.virtual.enabled), and Jetty likewise in JettyServer: both share this servlet.
 *
 * <p>Room rule: only the server; the calls are in Calls.
 */
final class TomcatServer {
    public static void main(String[] args) throws Exception {
        var executor = new StandardVirtualThreadExecutor();
        executor.setName("virtual");
        var tomcat = new Tomcat();
        tomcat.setBaseDir(scratch().getPath());
        tomcat.setPort(Calls.port());
        var connector = tomcat.getConnector();
        connector.setProperty("address", "127.0.0.1");
        tomcat.getService().addExecutor(executor);
        connector.getProtocolHandler().setExecutor(executor);
        var context = tomcat.addContext("", scratch().getPath());
        Tomcat.addServlet(context, "calls", new CallsServlet());
        context.addServletMappingDecoded("/*", "calls");
        tomcat.start();
        tomcat.getServer().await();
    }

    private static File scratch() throws IOException {
        File directory = Files.createTempDirectory("tomcat-").toFile();
        directory.deleteOnExit();
        return directory;
    }
}

/** Reads the request, makes the calls, answers with the id. */
final class CallsServlet extends jakarta.servlet.http.HttpServlet {
    private static final long serialVersionUID = 1;
    private final transient Calls calls = new Calls();

    @Override
    public void init() {
        calls.startTicker();
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        request.getInputStream().readAllBytes();
        String id = Calls.id(request.getQueryString());
        try {
            calls.work(id);
        } catch (Exception failure) {
            failure.printStackTrace();
            response.setStatus(HttpServletResponse.SC_BAD_GATEWAY);
        }
        response.setContentLength(id.length());
        response.getOutputStream().print(id);
    }
}
