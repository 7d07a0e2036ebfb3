# SPDX-License-Identifier: Apache-2.0
"""The stacks: how each real program is started. class `right`: 100 % right; `warmup`: the same after
64 exchanges; `nowrong`: 0 wrong, what is missing is counted."""
import os
import shutil
import socket
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
APPS = os.path.join(HERE, "apps")
PY = "/usr/bin/python3"
JARS = "/usr/share/java"
JAVA_25 = "/usr/lib/jvm/temurin-25-jdk-amd64/bin/java"


class Stack:
    def __init__(self, name, cls, command, needs=(), legs=4, env=None, prepare=None, proxy=False,
                 keepalive=True, concurrency=32, resets=False, linger=0.1, rounds=0):
        self.name, self.cls, self.command, self.needs = name, cls, command, needs
        self.legs, self.env, self.prepare, self.proxy = legs, env or {}, prepare, proxy
        self.keepalive, self.concurrency = keepalive, concurrency
        self.linger = linger  # seconds until the last call that no answer waits for is made
        self.rounds = rounds  # at least so many
        self.resets = resets  # it listens with a backlog of 10 and loses connections of a burst, with us or without

    def missing(self):
        """The first thing that is not installed, or None."""
        for need in self.needs:
            if need.startswith("/"):
                if not os.path.exists(need):
                    return need
            elif need.startswith("py:"):
                if subprocess.run([PY, "-c", f"import {need[3:]}"], capture_output=True).returncode:
                    return f"python3-{need[3:]}"
            elif need.startswith("php-ext:"):
                if need[8:] not in subprocess.run(["php", "-m"], capture_output=True, text=True).stdout.split():
                    return f"php-{need[8:]}"
            elif not shutil.which(need):
                return need
        return None


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def compile_c(where, port, up):
    subprocess.run(["gcc", "-O1", "-o", f"{where}/mhd", f"{APPS}/mhd.c", "-lmicrohttpd", "-lcurl"], check=True)


def jars(*patterns):
    import glob
    out = []
    for p in patterns:
        out += sorted(glob.glob(f"{JARS}/{p}"))
    return ":".join(out)




def TOMCAT():
    return jars("tomcat10-embed-core.jar", "jakarta-annotation-api.jar", "jakarta.annotation-api.jar")


def JETTY():
    return jars("jetty9-*.jar", "javax.servlet-api*.jar", "servlet-api*.jar")


def NETTY():
    return jars("netty-all.jar", "netty-*.jar")



def compile_java(classpath, *files):
    def prepare(where, port, up):
        subprocess.run(["javac", "-nowarn", "-d", where, "-cp", classpath()] + [f"{APPS}/{f}" for f in files],
                       check=True, capture_output=True)
    return prepare


def java(server, calls, classpath=lambda: ""):
    return lambda where, port, up: ["java", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={where}", "-cp",
                                    f"{where}:{classpath()}", "Sync", str(port), server, calls]


def agent(which, cls):
    """Beside an agent of another vendor that is at work all the time."""
    def prepare(where, port, up):
        compile_java(lambda: "", "Sync.java", "Agent.java")(where, port, up)
        write(f"{where}/manifest", "Premain-Class: Agent\nCan-Retransform-Classes: true\n")
        subprocess.run(["jar", "cfm", "agent.jar", "manifest", "Agent.class"], cwd=where, check=True)
    return Stack(f"java-agent-{which}", cls, lambda w, p, u: ["java", f"-javaagent:{w}/agent.jar={which}", "-cp", w, "Sync",
                                                              str(p), "jdk", "executor"], ("javac", "jar"), prepare=prepare)


def handed(name, legs, handlers="platform", program="java"):
    """`legs`: ways to hand over and the calls each of them makes; one more is made after the answer."""
    return Stack(f"java-handed-{name}", "right",
                 lambda w, p, u: [program, f"-Djava.io.tmpdir={w}", "-cp", w, "Handed", str(p), handlers, *legs],
                 ("javac", program), legs=sum(legs.values()) + 1, prepare=compile_java(lambda: "", "Handed.java"),
                 concurrency=64, linger=1.2, rounds=8)


def node(name, client, place="here", start=("node_app.js",), cls="right", env=None):
    return Stack(f"node-{name}", cls, lambda w, p, u: ["node", *start[:-1], f"{APPS}/{start[-1]}", str(p), client, place],
                 ("node", "openssl"), legs=5, prepare=certificate, env=env, concurrency=64, linger=0.8, rounds=8)


def certificate(where, port, up):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "9",
                    "-keyout", f"{where}/key", "-out", f"{where}/cert"], check=True, capture_output=True)
    write(f"{where}/pem", open(f"{where}/key", encoding="ascii").read() + open(f"{where}/cert", encoding="ascii").read())


def nginx_conf(keepalive):
    def prepare(where, port, up):
        extra = "keepalive 8;" if keepalive else ""
        keep = 'proxy_http_version 1.1; proxy_set_header Connection "";' if keepalive else ""
        write(f"{where}/nginx.conf", f"""
daemon off; pid {where}/pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {where}/b; proxy_temp_path {where}/p; fastcgi_temp_path {where}/f;
  uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;
  upstream up {{ server {up}; {extra} }}
  server {{ listen 127.0.0.1:{port}; location / {{ {keep} proxy_pass http://up; }} }} }}
""")
    return prepare


def apache_conf(mpm, body, script="app.php"):
    def prepare(where, port, up):
        mods = "/usr/lib/apache2/modules"
        write(f"{where}/upstream", up)
        shutil.copy(f"{APPS}/{script}", f"{where}/index.php")
        os.chmod(where, 0o755)
        write(f"{where}/apache.conf", f"""
ServerRoot {where}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {where}/pid
ErrorLog /dev/stderr
LogLevel crit
Mutex pthread
LoadModule mpm_{mpm}_module {mods}/mod_mpm_{mpm}.so
LoadModule authz_core_module {mods}/mod_authz_core.so
LoadModule dir_module {mods}/mod_dir.so
LoadModule mime_module {mods}/mod_mime.so
TypesConfig /etc/mime.types
DocumentRoot {where}
<Directory {where}>
  Require all granted
</Directory>
{body(where, up)}
""")
    return prepare


def mod_php(where, up):
    import glob
    so = sorted(glob.glob("/usr/lib/apache2/modules/libphp*.so"))
    return (f"LoadModule php_module {so[-1]}\nDirectoryIndex index.php\nAddHandler application/x-httpd-php .php\n"
            "StartServers 8\nMinSpareServers 8\nMaxRequestWorkers 40")


def mod_proxy(where, up):
    mods = "/usr/lib/apache2/modules"
    return (f"LoadModule proxy_module {mods}/mod_proxy.so\nLoadModule proxy_http_module {mods}/mod_proxy_http.so\n"
            f"ProxyPass / http://{up}/")


def haproxy_conf(where, port, up):
    write(f"{where}/haproxy.cfg", f"""
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  server up {up}
""")


def gunicorn(kind, app, threads=()):
    return lambda where, port, up: [PY, "-m", "gunicorn", "-k", kind, "-w", "4", *threads, "--chdir", APPS,
                                    "--log-level", "error", "-b", f"127.0.0.1:{port}", app]


def uvicorn(loop):
    return lambda where, port, up: [PY, "-m", "uvicorn", "--app-dir", APPS, "--loop", loop, "--port", str(port),
                                    "--log-level", "error", "async_app:app"]


def php_fpm(script, listen, keep):
    """nginx in front, which speaks FastCGI to PHP's process manager, over TCP or a unix socket."""
    def prepare(where, port, up):
        write(f"{where}/upstream", up)
        shutil.copy(f"{APPS}/{script}", f"{where}/index.php")
        os.chmod(where, 0o755)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            at = listen.format(where=where, port=s.getsockname()[1])
        host, _, number = at.partition(":")
        ready = f"[ -S {at} ]" if at[0] == "/" else f"(: < /dev/tcp/{host}/{number}) 2>/dev/null"
        write(f"{where}/fpm.conf", f"""
[global]
error_log = /dev/stderr
log_level = error
daemonize = no
[www]
user = www-data
group = www-data
listen = {at}
listen.mode = 0666
clear_env = no
pm = static
pm.max_children = {40 if keep else 8}
""")
        write(f"{where}/nginx.conf", f"""
daemon off; pid {where}/pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {where}/b; proxy_temp_path {where}/p; fastcgi_temp_path {where}/f;
  uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;
  upstream fpm {{ server {'unix:' if at[0] == '/' else ''}{at}; {'keepalive 8;' if keep else ''} }}
  server {{ listen 127.0.0.1:{port}; location / {{
    include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME {where}/index.php;
    {'fastcgi_keep_conn on;' if keep else ''} fastcgi_pass fpm; }} }} }}
""")
        write(f"{where}/start", f"{fpm_program()} -F -R -y {where}/fpm.conf & until {ready}; do sleep 0.1; done; exec nginx -e stderr -c {where}/nginx.conf\n")
    return prepare


def fpm_program():
    import glob
    return (sorted(glob.glob("/usr/sbin/php-fpm*")) or ["php-fpm"])[-1]


def copy(script):
    return lambda where, port, up: shutil.copy(f"{APPS}/{script}", f"{where}/index.php")


def mono_build(where, port, up):
    subprocess.run(["mcs", "-out:" + f"{where}/app.exe", f"{APPS}/mono.cs"], check=True, capture_output=True)


def calls(server, *needs, client="httpx", limit=0):
    """Of the Python bridge: calls that run at once, and one that leaves after the answer."""
    name = "-".join(["py", server, client] + [str(limit)] * (limit > 0))
    return Stack(name, "right", lambda w, p, u: [PY, f"{APPS}/python_calls.py", server, str(p)],
                 tuple(f"py:{n}" for n in needs), env={"CLIENT": client, "LIMIT": str(limit)},
                 concurrency=64, linger=1.0)


TOP = os.path.dirname(os.path.dirname(HERE))


def mod_cgi(which):
    def body(where, up):
        os.chmod(f"{where}/index.php", 0o755)
        os.rename(f"{where}/index.php", f"{where}/index.cgi")
        return (f"LoadModule {which}_module /usr/lib/apache2/modules/mod_{which}.so\nLoadModule env_module "
                "/usr/lib/apache2/modules/mod_env.so\nPassEnv LD_PRELOAD TRACEBATON_DIR UPSTREAM PATH\n"
                "DirectoryIndex index.cgi\nAddHandler cgi-script .cgi\nOptions +ExecCGI\n"
                + (f"ScriptSock {where}/cgid" if which == "cgid" else ""))
    return body


def nginx_to(where, port, location):
    write(f"{where}/nginx.conf", f"""
daemon off; pid {where}/pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {where}/b; proxy_temp_path {where}/p; fastcgi_temp_path {where}/f;
  uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }} }}
""")


def fcgiwrap(where, port, up):
    shutil.copy(f"{APPS}/cgi.sh", f"{where}/cgi.sh")
    os.chmod(where, 0o755)
    nginx_to(where, port, f"include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME {where}/cgi.sh; "
             f"fastcgi_pass unix:{where}/wrap;")
    write(f"{where}/start", f"fcgiwrap -f -c 8 -s unix:{where}/wrap & until [ -S {where}/wrap ]; do sleep 0.1; done; "
          f"chmod 666 {where}/wrap; exec nginx -e stderr -c {where}/nginx.conf\n")


def uwsgi(name, socket_kind, through, *more):
    """uWSGI: behind nginx by its own protocol or SCGI, or by HTTP itself."""
    def prepare(where, port, up):
        os.chmod(where, 0o755)
        at = f"{where}/app" if through else f"127.0.0.1:{port}"
        serve = (f"uwsgi_python3 --{socket_kind} {at} --chmod-socket=666 --chdir {APPS} --wsgi-file flask_app.py --callable app "
                 f"--master --need-app --disable-logging --die-on-term {' '.join(more)}")
        if through:
            nginx_to(where, port, f"include /etc/nginx/{through}_params; {through}_pass unix:{at};")
            serve += f" & until [ -S {at} ]; do sleep 0.1; done; exec nginx -e stderr -c {where}/nginx.conf"
        write(f"{where}/start", serve + "\n")
    return Stack(name, "right", lambda w, p, u: ["bash", f"{w}/start"],
                 ("nginx", "uwsgi_python3") + FLASK, legs=5, prepare=prepare, keepalive=False)


def example(name, cls, compiler, source, flag, aware=True):
    """A program that says whose work it does; or the same without the lines that say it."""
    def prepare(where, port, up):
        with open(f"{TOP}/examples/api/{source}", encoding="ascii") as f:
            lines = [x for x in f if aware or "/* TRACE" not in x]
        write(f"{where}/{source}", "".join(lines))
        subprocess.run([compiler, "-D_GNU_SOURCE", "-O1", f"-I{TOP}/include", "-o", f"{where}/server",
                        f"{where}/{source}", flag], check=True)
    return Stack(name, cls, lambda w, p, u: [f"{w}/server", str(p), *u.split(":")], (compiler,), legs=3, prepare=prepare)


def puma(name, cls, app="config.ru", legs=4, env=None):
    return Stack("puma" + name, cls, lambda w, p, u: ["puma", "-q", "-t", "4:8", "-b", f"tcp://127.0.0.1:{p}", f"{APPS}/{app}"],
                 ("puma",), legs=legs, env=env)


def threads(kind, cls, best=False):
    return Stack(f"threads-{kind}" + ("-best" if best else ""), cls,
                 gunicorn("gthread", "threads_app:app", ("-w", "1", "--threads", "32")), ("py:requests", "py:gunicorn"), legs=3,
                 env={"KIND": kind, **({"TRACEBATON_ATTRIBUTION": "best"} if best else {})})


def passed(kind, cls, keepalive=True):
    return Stack(f"{kind}-connections" if kind != "activated" else "activated-listener", cls,
                 lambda w, p, u: [PY, f"{APPS}/passed_app.py", kind, str(p)], legs=3, keepalive=keepalive)


FLASK = ("py:flask", "py:requests")
STACKS = [
    Stack("flask-dev", "right", lambda w, p, u: [PY, "-m", "flask", "--app", f"{APPS}/flask_app.py", "run", "-p", str(p)],
          FLASK, legs=5),
    Stack("gunicorn-sync", "right", gunicorn("sync", "flask_app:app"), FLASK + ("py:gunicorn",), legs=5),
    Stack("gunicorn-gthread", "right", gunicorn("gthread", "flask_app:app", ("--threads", "8")),
          FLASK + ("py:gunicorn",), legs=5),
    Stack("django-runserver", "right", lambda w, p, u: [PY, f"{APPS}/django_app.py", "runserver", "--noreload", str(p)],
          ("py:django", "py:requests"), legs=3, resets=True),
    Stack("django-gunicorn", "right", gunicorn("sync", "django_app:application"), ("py:django", "py:gunicorn"), legs=3),
    Stack("webrick", "right", lambda w, p, u: ["ruby", f"{APPS}/webrick.rb", str(p)], ("ruby",)),
    Stack("php-S", "right", lambda w, p, u: ["php", "-S", f"127.0.0.1:{p}", "-t", w], ("php",), prepare=copy("app.php"),
          env={"PHP_CLI_SERVER_WORKERS": ""}),
    Stack("apache-mod_php", "right", lambda w, p, u: ["apache2", "-DFOREGROUND", "-f", f"{w}/apache.conf"],
          ("apache2", "php"), prepare=apache_conf("prefork", mod_php)),
    Stack("php-S-curl", "right", lambda w, p, u: ["php", "-S", f"127.0.0.1:{p}", "-t", w], ("php", "php-ext:curl"),
          prepare=copy("curl.php"), env={"PHP_CLI_SERVER_WORKERS": ""}, legs=5),
    Stack("mod_php-curl", "right", lambda w, p, u: ["apache2", "-DFOREGROUND", "-f", f"{w}/apache.conf"],
          ("apache2", "php", "php-ext:curl"), prepare=apache_conf("prefork", mod_php, "curl.php"), legs=5),
    Stack("php-fpm", "right", lambda w, p, u: ["bash", f"{w}/start"], ("nginx", fpm_program()),
          prepare=php_fpm("app.php", "127.0.0.1:{port}", False)),
    Stack("php-fpm-keepalive", "right", lambda w, p, u: ["bash", f"{w}/start"], ("nginx", fpm_program()),
          prepare=php_fpm("app.php", "{where}/fpm.sock", True)),
    Stack("php-fpm-curl", "right", lambda w, p, u: ["bash", f"{w}/start"], ("nginx", fpm_program(), "php-ext:curl"),
          prepare=php_fpm("curl.php", "{where}/fpm.sock", False), legs=5),
    Stack("perl-daemon", "right", lambda w, p, u: ["perl", f"{APPS}/daemon.pl", str(p)],
          ("/usr/share/perl5/HTTP/Daemon.pm", "/usr/share/perl5/LWP.pm")),
    Stack("mhd-thread", "right", lambda w, p, u: [f"{w}/mhd", str(p), "thread"], ("/usr/include/microhttpd.h",),
          prepare=compile_c),
    Stack("mhd-pool", "right", lambda w, p, u: [f"{w}/mhd", str(p), "pool"], ("/usr/include/microhttpd.h",),
          prepare=compile_c),
    Stack("java-httpserver", "right", java("jdk", "huc"), ("javac",), prepare=compile_java(lambda: "", "Sync.java")),
    Stack("tomcat10", "warmup", java("TomcatStack", "huc", TOMCAT), ("javac", f"{JARS}/tomcat10-embed-core.jar"),
          prepare=compile_java(TOMCAT, "Sync.java", "TomcatStack.java")),
    Stack("apache-proxy", "right", lambda w, p, u: ["apache2", "-DFOREGROUND", "-f", f"{w}/apache.conf"], ("apache2",),
          prepare=apache_conf("event", mod_proxy), proxy=True, legs=1),
    Stack("nginx-proxy", "right", lambda w, p, u: ["nginx", "-e", "stderr", "-c", f"{w}/nginx.conf"], ("nginx",),
          prepare=nginx_conf(False), proxy=True, legs=1),
    Stack("nginx-keepalive", "right", lambda w, p, u: ["nginx", "-e", "stderr", "-c", f"{w}/nginx.conf"], ("nginx",),
          prepare=nginx_conf(True), proxy=True, legs=1),
    example("api-pool", "right", "gcc", "pool.c", "-lpthread"),
    example("api-pool-unaware", "nowrong", "gcc", "pool.c", "-lpthread", False),
    example("api-coroutines", "right", "g++", "coroutines.cc", "-std=c++20"),
    example("api-coroutines-unaware", "nowrong", "g++", "coroutines.cc", "-std=c++20", False),
    uwsgi("uwsgi", "socket", "uwsgi", "--processes", "6"),
    uwsgi("uwsgi-threads", "socket", "uwsgi", "--processes", "2", "--threads", "6", "--enable-threads"),
    uwsgi("uwsgi-scgi", "scgi-socket", "scgi", "--processes", "6"),
    uwsgi("uwsgi-http", "http-socket", None, "--processes", "6"),
    Stack("apache-cgi", "right", lambda w, p, u: ["apache2", "-DFOREGROUND", "-f", f"{w}/apache.conf"], ("apache2", "curl"),
          prepare=apache_conf("prefork", mod_cgi("cgi"), "cgi.sh"), legs=3, concurrency=8),
    Stack("apache-cgid", "right", lambda w, p, u: ["apache2", "-DFOREGROUND", "-f", f"{w}/apache.conf"], ("apache2", "curl"),
          prepare=apache_conf("event", mod_cgi("cgid"), "cgi.sh"), legs=3, concurrency=8),
    Stack("fcgiwrap", "right", lambda w, p, u: ["bash", f"{w}/start"], ("nginx", "fcgiwrap", "curl"), prepare=fcgiwrap,
          legs=3, concurrency=8),
    passed("passed", "right"), passed("read-first", "nowrong"), passed("returned", "nowrong"), passed("activated", "right"),
    passed("inetd", "right", keepalive=False),
    Stack("flask-children", "right",
          lambda w, p, u: [PY, "-m", "flask", "--app", f"{APPS}/children.py", "run", "-p", str(p)], FLASK + ("curl",),
          legs=5, concurrency=8),
    Stack("gunicorn-children", "right", gunicorn("sync", "children:app"), FLASK + ("py:gunicorn", "curl"), legs=5,
          concurrency=8),
    Stack("php-S-children", "right", lambda w, p, u: ["php", "-S", f"127.0.0.1:{p}", "-t", w], ("php", "curl"),
          prepare=copy("children.php"), env={"PHP_CLI_SERVER_WORKERS": ""}, legs=4, concurrency=8),
    Stack("php-fpm-children", "right", lambda w, p, u: ["bash", f"{w}/start"], ("nginx", fpm_program(), "curl"),
          prepare=php_fpm("children.php", "127.0.0.1:{port}", False), legs=4, concurrency=8),
    node("http", "http"),
    node("http-limited", "limited"),
    node("http-odd", "odd"),
    node("fetch", "fetch"),
    node("fetch-limited", "fetch-limited"),
    node("https", "https"),
    node("http2", "http2"),
    node("worker", "http", "worker"),
    node("cluster", "fetch", "cluster"),
    node("esm", "http", start=("node_app.mjs",)),
    node("options", "limited", env={"NODE_OPTIONS": "--max-http-header-size=20000 --no-warnings"}),
    node("unbridged", "http", cls="nowrong", env={"TRACEBATON_BRIDGES": "python"}),
    Stack("uvicorn-asyncio", "right", uvicorn("asyncio"), ("py:fastapi", "py:uvicorn", "py:httpx")),
    Stack("uvicorn-uvloop", "right", uvicorn("uvloop"), ("py:fastapi", "py:uvloop", "py:httpx")),
    Stack("fastapi-plain", "right", uvicorn("asyncio"), ("py:fastapi", "py:uvicorn", "py:httpx"), env={"PLAIN": "1"}),
    Stack("aiohttp", "right", lambda w, p, u: [PY, f"{APPS}/async_app.py", str(p)], ("py:aiohttp",)),
    calls("uvicorn", "uvicorn", "httpx"),
    calls("uvicorn", "uvicorn", "httpx", limit=2),
    calls("uvicorn", "uvicorn", "aiohttp", client="aiohttp"),
    calls("uvicorn", "uvicorn", "requests", client="executor"),
    calls("uvicorn", "uvicorn", "requests", client="to_thread"),
    calls("httptools", "uvicorn", "httptools", "aiohttp", client="aiohttp", limit=2),
    calls("uvloop", "uvicorn", "uvloop", "httpx"),
    calls("uvloop", "uvicorn", "uvloop", "aiohttp", client="aiohttp"),
    calls("hypercorn", "hypercorn", "httpx"),
    calls("hypercorn", "hypercorn", "aiohttp", client="aiohttp", limit=2),
    calls("aiohttp", "aiohttp", client="aiohttp"),
    calls("tornado", "tornado", client="tornado"),
    calls("trio", "hypercorn", "trio", "httpx"),
    calls("gevent", "gevent", "requests", client="requests"),
    calls("eventlet", "eventlet", "requests", client="requests"),
    calls("threads", "requests", client="requests"),
    Stack("gunicorn-gevent", "right", gunicorn("gevent", "flask_app:app"), FLASK + ("py:gevent",), legs=5),
    Stack("flask-fan-out", "right", gunicorn("gthread", "flask_app:fan_out", ("--threads", "8")), FLASK, legs=3,
          env={"FAN_OUT": "1"}),
    threads("call", "warmup"), threads("group", "warmup"), threads("executor", "right"), threads("queue", "nowrong"),
    threads("simple", "nowrong"), threads("condition", "nowrong"), threads("deque", "nowrong"),
    threads("call", "right", True), threads("group", "warmup", True), threads("executor", "right", True),
    threads("queue", "nowrong", True), threads("simple", "nowrong", True), threads("condition", "nowrong", True),
    puma("", "right"), puma("-threads", "nowrong", "threads.ru", 3),
    puma("-threads-best", "right", "threads.ru", 3, {"TRACEBATON_ATTRIBUTION": "best"}),
    puma("-lazy-pool", "nowrong", "threads.ru", 3, {"POOL": "1"}),
    puma("-lazy-pool-best", "nowrong", "threads.ru", 3, {"POOL": "1", "TRACEBATON_ATTRIBUTION": "best"}),
    Stack("java-client-sync", "right", java("jdk", "client"), ("javac",), prepare=compile_java(lambda: "", "Sync.java")),
    Stack("java-client-async", "right", java("jdk", "async"), ("javac",), prepare=compile_java(lambda: "", "Sync.java")),
    Stack("java-executor", "right", java("jdk", "executor"), ("javac",), prepare=compile_java(lambda: "", "Sync.java")),
    Stack("java-shared-pool", "right", java("jdk", "shared"), ("javac",), prepare=compile_java(lambda: "", "Sync.java")),
    Stack("java-threads-only", "nowrong", lambda w, p, u: ["java", "-Dtracebaton.jvm=threads", "-cp", w, "Sync", str(p), "jdk",
                                                           "shared"], ("javac",), prepare=compile_java(lambda: "", "Sync.java")),
    Stack("java-verified", "right", lambda w, p, u: ["java", "-XX:+UnlockDiagnosticVMOptions", "-XX:+BytecodeVerificationLocal",
                                                     "-cp", w, "Sync", str(p), "jdk", "async"], ("javac",), prepare=compile_java(lambda: "", "Sync.java")),
    agent("others", "right"),
    agent("same", "nowrong"),
    handed("pools", {"a": 1, "submit": 1, "few": 2, "execute": 1, "timer": 1, "delayed": 1}),
    handed("futures", {"cf": 1, "supply": 3, "completed": 1, "fork": 4, "stream": 3}),
    handed("client", {"send": 1, "async": 2, "chain": 3}),
    handed("twice", {"cached": 0}),
    handed("sockets", {"submit": 1, "cf": 1, "send": 1, "async": 2}, "sockets"),
    handed("virtual", {"a": 1, "submit": 1, "virtual": 1, "completed": 1}, "virtual", JAVA_25),
    handed("virtual-client", {"send": 1, "async": 2, "chain": 3}, "virtual", JAVA_25),
    Stack("jetty9", "nowrong", java("JettyStack", "huc", JETTY), ("javac", f"{JARS}/jetty9-server.jar"),
          prepare=compile_java(JETTY, "Sync.java", "JettyStack.java")),
    Stack("netty-same-loop", "nowrong", java("NettyStack", "huc", NETTY), ("javac", f"{JARS}/netty-all.jar"),
          prepare=compile_java(NETTY, "Sync.java", "NettyStack.java"), env={"NETTY": "same"}),
    Stack("netty-other-loop", "nowrong", java("NettyStack", "huc", NETTY), ("javac", f"{JARS}/netty-all.jar"),
          prepare=compile_java(NETTY, "Sync.java", "NettyStack.java"), env={"NETTY": "other"}),
    Stack("haproxy", "nowrong", lambda w, p, u: ["haproxy", "-db", "-f", f"{w}/haproxy.cfg"], ("haproxy",),
          prepare=haproxy_conf, proxy=True, legs=1),
    Stack("mono", "nowrong", lambda w, p, u: ["mono", f"{w}/app.exe", str(p)], ("mono", "mcs"), prepare=mono_build),
]
