// SPDX-License-Identifier: Apache-2.0
// Netty server; its calls leave from the same event loop or from another group (NETTY=same|other).
import io.netty.bootstrap.*;
import io.netty.buffer.Unpooled;
import io.netty.channel.*;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.*;
import io.netty.handler.codec.http.*;
import io.netty.util.CharsetUtil;
import java.util.function.Consumer;

public class NettyStack {
    static final boolean SAME = !"other".equals(System.getenv("NETTY"));
    static final NioEventLoopGroup CLIENTS = new NioEventLoopGroup(2);

    static void call(EventLoopGroup group, String i, String leg, byte[] body, Runnable then) {
        String[] up = Sync.UP.split(":");
        new Bootstrap().group(group).channel(NioSocketChannel.class).handler(new ChannelInitializer<SocketChannel>() {
            @Override protected void initChannel(SocketChannel ch) {
                ch.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(65536),
                    new SimpleChannelInboundHandler<FullHttpResponse>() {
                        @Override protected void channelRead0(ChannelHandlerContext c, FullHttpResponse r) {
                            c.close();
                            then.run();
                        }
                    });
            }
        }).connect(up[0], Integer.parseInt(up[1])).addListener((ChannelFutureListener) f -> {
            var q = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, body == null ? HttpMethod.GET : HttpMethod.POST,
                "/?id=" + i + "&leg=" + leg, body == null ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(body));
            q.headers().set("Host", Sync.UP);
            if (body != null) q.headers().set("Content-Length", body.length);
            f.channel().writeAndFlush(q);
        });
    }

    public static void start(int port) throws Exception {
        new ServerBootstrap().group(new NioEventLoopGroup(1), new NioEventLoopGroup(2))
            .channel(NioServerSocketChannel.class).childHandler(new ChannelInitializer<SocketChannel>() {
                @Override protected void initChannel(SocketChannel ch) {
                    ch.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(65536),
                        new SimpleChannelInboundHandler<FullHttpRequest>() {
                            @Override protected void channelRead0(ChannelHandlerContext c, FullHttpRequest q) {
                                String i = q.uri().substring(q.uri().indexOf('=') + 1);
                                if (i.equals("0")) { answer(c, i); return; }
                                EventLoopGroup g = SAME ? c.channel().eventLoop() : CLIENTS;
                                call(g, i, "a", null, () -> call(g, i, "b", (Sync.DECOY + i).getBytes(),
                                    () -> call(g, i, "c", null, () -> call(g, i, "d", null, () -> answer(c, i)))));
                            }
                        });
                }
            }).bind("127.0.0.1", port).sync();
    }

    static void answer(ChannelHandlerContext c, String i) {
        var r = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK,
            Unpooled.copiedBuffer(i, CharsetUtil.US_ASCII));
        r.headers().set("Content-Length", i.length());
        c.writeAndFlush(r);
    }
}
