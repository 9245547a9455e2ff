"""A Tornado server with Jupyter's checks: a Host that is not this machine's is refused, sockets of other origins too, forms need a token."""
import ipaddress
import sys

import tornado.ioloop
import tornado.web
import tornado.websocket

LOCAL_HOSTNAMES = ["localhost"]  # Jupyter's setting local_hostnames


class Page(tornado.web.RequestHandler):
    def prepare(self):
        host = self.request.host.rsplit(":", 1)[0].strip("[]")
        try:
            known = ipaddress.ip_address(host).is_loopback
        except ValueError:
            known = host in LOCAL_HOSTNAMES
        if not known:
            raise tornado.web.HTTPError(403, "Blocking request with non-local 'Host' %s" % host)


class Home(Page):
    def get(self, said=""):
        self.write("""<!doctype html><title>tornado</title><h1 id="title">as it was</h1><button id="count">0</button><p id="socket"></p>
            <form id="form" method="post">%s<input name="name"><button>send</button></form><p id="said">%s</p>
            <script>
              const count = document.querySelector('#count');
              count.onclick = () => (count.textContent = +count.textContent + 1);
              const socket = new WebSocket('/socket');
              socket.onopen = () => socket.send('ping');
              socket.onmessage = ({ data }) => (document.querySelector('#socket').textContent = data);
            </script>""" % (self.xsrf_form_html(), said))

    def post(self):
        self.get("hello " + self.get_body_argument("name"))


class Login(Page):
    def get(self):
        self.set_secure_cookie("user", "alice")
        self.redirect("/private")


class Private(Page):
    def get(self):
        self.write('<p id="user">%s</p>' % (self.get_secure_cookie("user") or b"nobody").decode())


class Socket(tornado.websocket.WebSocketHandler):
    # Its check_origin() compares Origin with Host, as Jupyter's does.
    def on_message(self, message):
        self.write_message("pong")


app = tornado.web.Application(
    [("/", Home), ("/login", Login), ("/private", Private), ("/socket", Socket)],
    cookie_secret="for tests", xsrf_cookies=True, debug=True, autoreload=False)
app.listen(int(sys.argv[2]), sys.argv[1])
tornado.ioloop.IOLoop.current().start()
