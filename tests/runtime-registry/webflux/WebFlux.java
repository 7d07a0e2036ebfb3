/* SPDX-License-Identifier: Apache-2.0 */

import java.time.Duration;
import java.util.Objects;
import org.springframework.http.HttpStatus;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.http.server.reactive.ReactorHttpHandlerAdapter;
import org.springframework.web.reactive.function.client.WebClient;
import org.springframework.web.reactive.function.server.RequestPredicates;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.server.HttpServer;
import reactor.netty.resources.ConnectionProvider;

/**
 * Spring WebFlux on reactor-netty, calling out through WebClient. Server and client share the event
 * loops, and a pool of four connections makes most calls wait: the write then happens inside the
 * callback of somebody else's response. With PLAIN set, one call after the other and no ticker.
 *
 * <p>Room rule: ordinary code that knows nothing about tracing. The same classes run twice, with
 * Netty's own epoll library and with the JDK's selectors (reactor.netty.native).
 */
final class WebFlux {
    private static final String UPSTREAM = Objects.requireNonNull(System.getenv("UPSTREAM"));
    private static final String DECOY = Objects.requireNonNull(System.getenv("DECOY"));
    private static final boolean PLAIN = System.getenv("PLAIN") != null;
    private static final WebClient FRESH = client(HttpClient.newConnection());
    private static final WebClient POOLED = client(HttpClient.create(pool()));

    public static void main(String[] args) {
        var routes = RouterFunctions.route(RequestPredicates.all(), WebFlux::serve);
        var handler = new ReactorHttpHandlerAdapter(RouterFunctions.toHttpHandler(routes));
        if (!PLAIN) startTicker();
        HttpServer.create()
                .host("127.0.0.1")
                .port(Integer.parseInt(System.getenv("PORT")))
                .handle(handler)
                .bindNow()
                .onDispose()
                .block();
    }

    private static ConnectionProvider pool() {
        return ConnectionProvider.builder("pool")
                .maxConnections(4)
                .pendingAcquireMaxCount(-1)
                .build();
    }

    private static WebClient client(HttpClient http) {
        var patient = http.responseTimeout(Duration.ofSeconds(20));
        var connector = new ReactorClientHttpConnector(patient);
        return WebClient.builder().baseUrl("http://" + UPSTREAM).clientConnector(connector).build();
    }

    private static Mono<ServerResponse> serve(ServerRequest request) {
        String id = request.queryParam("id").orElse("");
        return request.bodyToMono(String.class)
                .then(work(id))
                .then(ServerResponse.ok().bodyValue(id))
                .onErrorResume(WebFlux::failed);
    }

    private static Mono<ServerResponse> failed(Throwable failure) {
        failure.printStackTrace();
        return ServerResponse.status(HttpStatus.BAD_GATEWAY).bodyValue(String.valueOf(failure));
    }

    /** Different ids wait differently long, so that requests overtake each other. */
    private static Mono<Void> work(String id) {
        if (id.equals("0")) return Mono.empty(); // only asks whether we are there
        var wait = Duration.ofMillis(id.chars().sum() % 6);
        var other = get(POOLED, id, "elastic").subscribeOn(Schedulers.boundedElastic());
        var start = get(FRESH, id, "new").then(Mono.delay(wait)).then(post(id, "b"));
        return PLAIN
                ? start.then(get(POOLED, id, "pool"))
                : start.then(Mono.when(get(POOLED, id, "pool1"), get(POOLED, id, "pool2"), other));
    }

    private static Mono<Void> get(WebClient client, String id, String leg) {
        var request = client.get().uri("/?id={id}&leg={leg}", id, leg);
        return request.retrieve().bodyToMono(String.class).then();
    }

    private static Mono<Void> post(String id, String leg) {
        var request = POOLED.post().uri("/?id={id}&leg={leg}", id, leg).bodyValue(DECOY + id);
        return request.retrieve().bodyToMono(String.class).then();
    }

    /** Work that belongs to no request: whatever it carries is wrong. */
    private static void startTicker() {
        Flux.interval(Duration.ofMillis(10))
                .onBackpressureDrop()
                .concatMap(n -> get(POOLED, "none", "tick").onErrorComplete())
                .subscribe();
    }
}
