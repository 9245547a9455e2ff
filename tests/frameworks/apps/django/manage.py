"""A Django site in one file. Its settings are those of startproject, but for the database, which nothing here needs."""
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect
from django.template import engines
from django.urls import path

settings.configure(
    DEBUG=True,
    ALLOWED_HOSTS=[],
    CSRF_TRUSTED_ORIGINS=[],
    SECRET_KEY="for tests",
    ROOT_URLCONF=__name__,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)

PAGE = """<!doctype html><title>django</title><h1 id="title">as it was</h1>
<form id="form" method="post">{% csrf_token %}<input name="name"><button>send</button></form><p id="said">{{ said }}</p>"""


def home(request):
    said = "hello " + request.POST["name"] if request.method == "POST" else ""
    return HttpResponse(engines["django"].from_string(PAGE).render({"said": said}, request))


def login(request):
    """What django.contrib.auth.login() does to cookies: two of them are set in one response."""
    request.session["user"] = "alice"
    rotate_token(request)
    return redirect("/private")


def private(request):
    return HttpResponse('<p id="user">%s</p>' % request.session.get("user", "nobody"))


urlpatterns = [path("", home), path("login", login), path("private", private)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
