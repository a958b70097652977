#!/usr/bin/env python3
"""How long each page of the console takes, on a gateway that runs. Looks each up N times and prints medians and the slowest.

    scripts/console-times.py URL NAME [N]      (the password comes from standard input)
"""
import http.cookiejar
import re
import statistics
import sys
import time
import urllib.parse
import urllib.request

url, name = sys.argv[1].rstrip("/"), sys.argv[2]
times = int(sys.argv[3]) if len(sys.argv) > 3 else 20
password = sys.stdin.readline().strip()
# As browsers do on this machine's own address.
policy = http.cookiejar.DefaultCookiePolicy(secure_protocols=("https", "http"))
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar(policy)))


def get(path):
    """How long a page takes; of what is looked for in the search box, with the page that it leads to."""
    form = None
    if path.startswith("find "):
        form = urllib.parse.urlencode({**search, search_box: path.removeprefix("find ")}).encode()
        path = "/console/find"
    started = time.perf_counter()
    with opener.open(urllib.request.Request(url + path, data=form, headers=origin)) as answer:
        text = answer.read().decode()
    return (time.perf_counter() - started) * 1_000, text


origin = {"Origin": url}
fields = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', get("/console/sign-in")[1]))
form = urllib.parse.urlencode({**fields, "name": name, "password": password}).encode()
opener.open(urllib.request.Request(url + "/console/sign-in", data=form, headers=origin)).read()
messages = get("/console/messages")[1]
if "sign-in" in messages and "messages" not in messages:
    sys.exit("not signed in")
box = re.search(r'<form class="search".*?</form>', messages, re.S)[0]
search = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', box))
search_box = re.search(r'type="search"[^>]*name="([^"]+)"|name="([^"]+)"[^>]*type="search"', box)
search_box = search_box[1] or search_box[2]
message = re.search(r"/console/messages/(\d+)", messages)[1]
found = get("/console/messages/" + message)[1]
policy = re.search(r"/console/policies/(\w+)", found)[1]
identifier = re.search(r"\b\d{27}\b", found)[0]
pages = [
    "/console", "find " + policy, "find " + identifier, "find 110101199003071234", "find 张三丰", "/console/policies/" + policy,
    "/console/messages", "/console/messages?verdict=refused", "/console/messages?interface=qimen/recovery",
    "/console/messages/" + message, "/console/strangers", "/console/deliveries", "/console/conflicts",
    "/console/recoveries", "/console/channels", "/console/audit", "/console/users", "/console/explain",
]
for page in pages:
    try:
        size = len(get(page)[1])
        taken = [get(page)[0] for _ in range(times)]
        print(f"{page.replace(policy, 'POLICY').replace(message, 'MESSAGE').replace(identifier, 'IDENTIFIER'):<48} {statistics.median(taken):6.1f} ms, at most {max(taken):6.1f} ms, {size:>7} characters")
    except urllib.error.HTTPError as error:
        print(f"{page:<48} {error.code}")
