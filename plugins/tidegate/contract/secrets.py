"""What is secret, told by the name of a setting or by its value: one rule for both wings.

It serves the command line, the log, the report, the stored spec and Spark's own redaction, and
prefers to hide one too many. The spellings are those of Hadoop's, Spark's, Kafka's and the cloud
stores' settings; ``tests/unit/test_secrets.py`` lists them.
"""

import json
import re
from collections.abc import Iterable, Mapping

HIDDEN = "***"
_SHORTEST = 4
"""A known secret of fewer letters is not looked for in texts: it would blacken every number."""

BY_KEY = (
    r"secret|passw|passphrase|pass$|[._-]pass[._-]|pwd|token|credential|authorization|bearer"
    r"|api[._-]?key|access[._-]?key|account[._-]?key|private[._-]?key|encryption[._-]?key"
    r"|shared[._-]?key|master[._-]?key|signing[._-]?key|storage[._-]?key|fernet|jaas|cookie"
    r"|signature|connection[._-]?str|conn[._-]?str|dsn$|webhook|[._-]sas([._-]|$)|hmac|[._-]salt$"
    r"|ssh[._-]?key|kms[._-]?key|[._-]key$"
)
"""Matches the names of settings whose values are secret, whatever the case."""
_NAME = r"(?:passw(?:or)?d|passphrase|pwd|secret|token|api[._-]?key|(?:access|account)[._-]?key)"
_IS = r"(?:\s*=\s*\\?[\"']?|\\?[\"']\s*:\s*\\?[\"'])"
"""``=`` or JSON's colon between quotes, which a document within a document escapes."""
# None of them may begin with a repetition: a line of Spark's log can be of any length.
_PARTS = (
    # jdbc:…;password=…  ?access_token=…  -Djavax.net.ssl.keyStorePassword=…  AccountKey=…
    rf"(?P<named>{_NAME}[\w.]*{_IS})(?P<value>[^\s\"'&;,\\}}]+)",
    # https://user:pass@host
    r"(?P<user>://[^\s/:@\"']*:)(?P<pass>[^\s/@\"']+)(?=@)",
    # a shared access signature
    r"(?P<sas>[?&]sig(?:nature)?=)(?P<sig>[^\s\"'&]+)",
    r"(?P<scheme>\b(?:Bearer|Basic)\s+)(?P<header>[\w+/=.~-]{8,})",
    # a JSON web token, an AWS access key id, a private key
    r"(?P<whole>eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|A[KS]IA[0-9A-Z]{16}"
    r"|-----BEGIN[A-Z ]*PRIVATE KEY-----[^-]*(?:-----END[A-Z ]*PRIVATE KEY-----)?)",
)
_KEY = re.compile(BY_KEY, re.I)
_VALUE = re.compile("|".join(_PARTS), re.I)
_NAMED_GROUP = re.compile(r"\(\?P<\w+>")


def is_secret(key: str, value: object = "") -> bool:
    """Tell whether a setting is secret, by its name or by what its value carries."""
    return bool(_KEY.search(key) or carries_secret(value))


def carries_secret(value: object) -> bool:
    """Tell whether a value carries a secret: a password in a URL, a signature, a key."""
    return bool(_VALUE.search(str(value)))


def secrets_of(settings: Mapping[str, object]) -> list[str]:
    """Return the values of the settings that are secret."""
    return [str(value) for key, value in settings.items() if is_secret(key, value)]


def scrub(text: str, known: Iterable[str] = ()) -> str:
    """Return ``text`` with every known secret, and everything that looks like one, blackened.

    :param known: secret values; found as they are and as JSON spells them.
    """
    as_given = set(known)
    spelled = as_given.union(map(_in_json, as_given))
    for secret in sorted(spelled, key=len, reverse=True):  # before any that is a part of it
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    return _VALUE.sub(_blackened, text)


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _blackened(found: re.Match[str]) -> str:
    kept = filter(None, found.group("named", "user", "sas", "scheme"))
    return f"{''.join(kept)}{HIDDEN}"


def redaction_regex(besides: str = "") -> str:
    """Return the rule as Spark's ``spark.redaction.regex``, which matches keys and values alike.

    :param besides: the author's own, which goes on to hold.
    """
    ours = _NAMED_GROUP.sub("(?:", "|".join((BY_KEY, *_PARTS)))
    return f"(?i)(?:{'|'.join(filter(None, (ours, besides)))})"
