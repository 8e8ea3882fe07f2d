"""A holder at the pages: signs in, sets a password, makes access tokens. What a person does once, by hand."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

PASSWORD = "qiu-tian-7531"


class Holder:
    """A browser without script."""

    def __init__(self, base, number, first_password):
        self.base = base
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.fill("/sign-in", {"number": number, "password": first_password})
        self.fill("/password", {"old": first_password, "new": PASSWORD, "again": PASSWORD})

    def get(self, path):
        """A page's text; redirects are followed."""
        with self.opener.open(self.base + path, timeout=30) as answer:
            return answer.read().decode()

    def fill(self, path, fields):
        """Opens the page at `path`, and sends its form with these fields; gives the page that it leads to."""
        page = self.get(path)
        sent = {"token": hidden(page, "token"), **fields}
        if 'name="key"' in page:
            sent["key"] = hidden(page, "key")
        body = urllib.parse.urlencode(sent).encode()
        request = urllib.request.Request(self.base + path, body, {"Origin": self.base})
        with self.opener.open(request, timeout=30) as answer:
            return answer.read().decode()

    def token(self, *scopes):
        """A new access token with these scopes."""
        fields = {"name": " ".join(scopes), "days": "30", **{scope: "on" for scope in scopes}}
        page = self.fill("/me/security/tokens", fields)
        found = re.search(r'data-testid="token">(oc_[0-9a-f]{64})<', page)
        if not found:
            raise RuntimeError("no token is shown")
        return found.group(1)


def hidden(page, name):
    """The value of the first hidden field of this name."""
    return re.search(f'name="{name}" value="([^"]*)"', page).group(1)
