// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;
using System.Net;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

class App {
    static string up = Environment.GetEnvironmentVariable("UPSTREAM"), decoy;

    static async Task Call(string i, string leg, string body) {
        var q = (HttpWebRequest)WebRequest.Create("http://" + up + "/?id=" + i + "&leg=" + leg);
        if (body != null) {
            byte[] b = Encoding.ASCII.GetBytes(body);
            q.Method = "POST";
            q.ContentLength = b.Length;
            using (var s = await q.GetRequestStreamAsync()) await s.WriteAsync(b, 0, b.Length);
        }
        using (var r = await q.GetResponseAsync())
        using (var t = new StreamReader(r.GetResponseStream())) await t.ReadToEndAsync();
    }

    static async void Handle(HttpListenerContext c) {
        string i = c.Request.QueryString["id"];
        await new StreamReader(c.Request.InputStream).ReadToEndAsync();
        try {
            if (i != "0") {
                await Call(i, "a", null);
                await Call(i, "b", decoy + i);
                await Task.Delay(2);
                await Task.WhenAll(Call(i, "c", null), Call(i, "d", null));
            }
        } catch (Exception e) { Console.Error.WriteLine(e.Message); i = "error"; }
        byte[] o = Encoding.ASCII.GetBytes(i);
        c.Response.ContentLength64 = o.Length;
        c.Response.OutputStream.Write(o, 0, o.Length);
        c.Response.Close();
    }

    static void Main(string[] a) {
        decoy = string.Format("GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-{0}-00f067aa0ba902b7-01\r\n\r\n",
                              "dec0".PadLeft(32, '0'));
        var all = new StringBuilder();
        for (int k = 0; k < 20; k++) all.Append(decoy);
        decoy = all.ToString();
        ServicePointManager.DefaultConnectionLimit = 100;
        var l = new HttpListener();
        l.Prefixes.Add("http://127.0.0.1:" + a[0] + "/");
        l.Start();
        while (true) Handle(l.GetContext());
    }
}
