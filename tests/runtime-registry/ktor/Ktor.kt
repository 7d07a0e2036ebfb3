/* SPDX-License-Identifier: Apache-2.0 */

import io.ktor.client.HttpClient
import io.ktor.client.engine.apache5.Apache5
import io.ktor.client.engine.cio.CIO as ClientCIO
import io.ktor.client.request.get
import io.ktor.client.request.post
import io.ktor.client.request.setBody
import io.ktor.client.statement.HttpResponse
import io.ktor.client.statement.bodyAsBytes
import io.ktor.http.HttpStatusCode
import io.ktor.server.application.ApplicationCall
import io.ktor.server.application.ApplicationCallPipeline
import io.ktor.server.cio.CIO
import io.ktor.server.engine.embeddedServer
import io.ktor.server.request.receive
import io.ktor.server.response.respondText
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.apache.hc.client5.http.impl.nio.PoolingAsyncClientConnectionManagerBuilder

/*
 * Ktor's coroutine server and two of its clients. A coroutine goes on at any thread of the
 * dispatcher, and either client writes from a queue, on whatever thread looks after the connection.
 *
 * Room rule: ordinary code that knows nothing about tracing.
 */

private val upstream = System.getenv("UPSTREAM")
private val decoy = System.getenv("DECOY")

/** By default every call of this client has a connection of its own. */
private val fresh = HttpClient(ClientCIO) { engine { requestTimeout = 20_000 } }

/** Four kept connections, written by Apache's own reactor threads, not by Ktor's. */
private val pooled = HttpClient(Apache5) {
    engine {
        socketTimeout = 20_000
        customizeClient { setConnectionManager(fourConnections()) }
    }
}

private fun fourConnections() =
    PoolingAsyncClientConnectionManagerBuilder.create()
        .setMaxConnPerRoute(4)
        .setMaxConnTotal(4)
        .build()

private fun url(id: String, leg: String) = "http://$upstream/?id=$id&leg=$leg"

private suspend fun finish(answer: HttpResponse) {
    check(answer.status == HttpStatusCode.OK) { "upstream answered ${answer.status}" }
    answer.bodyAsBytes()
}

private suspend fun get(client: HttpClient, id: String, leg: String) =
    finish(client.get(url(id, leg)))

private suspend fun post(id: String, leg: String) =
    finish(fresh.post(url(id, leg)) { setBody(decoy + id) })

/** Different ids sleep differently long, so that requests overtake each other. */
private suspend fun work(id: String) = coroutineScope {
    get(fresh, id, "new")
    delay(id.sumOf { it.code } % 6L)
    post(id, "b")
    val pair = listOf("pool1", "pool2").map { async { get(pooled, id, it) } }
    withContext(Dispatchers.IO) { get(pooled, id, "io") }
    pair.awaitAll()
}

private suspend fun serve(call: ApplicationCall) {
    call.receive<ByteArray>()
    val id = call.request.queryParameters["id"].orEmpty()
    try {
        if (id != "0") work(id) // 0 only asks whether we are there
        call.respondText(id)
    } catch (failure: Exception) {
        failure.printStackTrace()
        call.respondText(failure.toString(), status = HttpStatusCode.BadGateway)
    }
}

/** Work that belongs to no request: whatever it carries is wrong. */
private fun CoroutineScope.startTicker() = launch {
    while (true) {
        delay(10)
        runCatching { get(pooled, "none", "tick") }
    }
}

fun main() {
    val port = System.getenv("PORT").toInt()
    embeddedServer(CIO, port = port, host = "127.0.0.1") {
        startTicker()
        intercept(ApplicationCallPipeline.Call) { serve(context) }
    }.start(wait = true)
}
