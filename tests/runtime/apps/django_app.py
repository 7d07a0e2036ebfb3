# SPDX-License-Identifier: Apache-2.0
"""A one-file Django project; run with `runserver` or any WSGI server."""
import os
import sys

import requests
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

UP = os.environ["UPSTREAM"]
DECOY = "GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n" % 0xdec0
session = requests.Session()
settings.configure(DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x")


@csrf_exempt
def handle(request):
    i = request.GET["id"]
    request.body
    if i != "0":
        requests.get(f"http://{UP}/?id={i}&leg=a")
        requests.post(f"http://{UP}/?id={i}&leg=b", data=(DECOY * 20 + i).encode())
        session.get(f"http://{UP}/?id={i}&leg=c")
    return HttpResponse(i)


urlpatterns = [path("", handle)]
application = get_wsgi_application()
if __name__ == "__main__":
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
