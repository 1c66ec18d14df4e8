"""6. An unknown host key is refused until the operator pins or accepts it."""

from tests.mutants.fault import Fault

HOST_KEYS = (
    "ssh/test_accept.py",
    "ssh/test_hostkeys_check.py",
    "ssh/test_hostkeys_pin.py",
    "ssh/test_hostkeys_revoked.py",
)
WAYS = ("ssh/test_ahead.py", "ssh/test_gateway.py", "ssh/test_hops.py")
FAULTS = (
    Fault(
        "an unknown key is taken",
        "nodriza/ssh/hostkeys.py:check",
        """\
    raise HostKeyError(
""",
        """\
    HostKeyError(
""",
        HOST_KEYS,
    ),
    Fault(
        "the keys of any port count for all",
        "nodriza/ssh/hops.py:known_name",
        'return host if port == 22 else f"[{host}]:{port}"',
        "return host",
        HOST_KEYS,
    ),
    Fault(
        "a key at home counts more than the pinned one",
        "nodriza/ssh/hostkeys.py:known",
        "for group in hop.known_hosts:",
        "for group in hop.known_hosts[::-1]:",
        HOST_KEYS,
    ),
    Fault(
        "a node with a file of its own is looked up elsewhere as well",
        "nodriza/ssh/hops.py:known_hosts_files",
        "return (node.ssh.known_hosts.expanduser(),)",
        "return (node.ssh.known_hosts.expanduser(), *_usual_files())",
        HOST_KEYS,
    ),
    Fault(
        "another fingerprint is taken for the right one",
        "nodriza/ssh/hostkeys.py:same_fingerprint",
        "return bool(given) and given == ",
        "return bool(given) or given == ",
        HOST_KEYS,
    ),
    Fault(
        "a changed key is replaced unasked",
        "nodriza/ssh/accept.py:accept",
        "if known and not replace:",
        "if False:",
        HOST_KEYS,
    ),
    Fault(
        "a key is pinned although another fingerprint was expected",
        "nodriza/ssh/accept.py:accept",
        "if fingerprint and not hostkeys.same_fingerprint(key, fingerprint):",
        "if False:",
        HOST_KEYS,
    ),
    Fault(
        "nobody is asked before a key is pinned",
        "nodriza/ssh/accept.py",
        """\
    if not fingerprint:
""",
        """\
    if False:
""",
        HOST_KEYS,
    ),
    Fault(
        "a no is taken for a yes",
        "nodriza/ssh/accept.py:_ask_a_person",
        'raise HostKeyError("not accepted"',
        'HostKeyError("not accepted"',
        HOST_KEYS,
    ),
    Fault(
        "the old key stays beside the new one",
        "nodriza/ssh/hostkeys.py:pin",
        "lines[line.number - 1] = _without(lines[line.number - 1], line, name)",
        "pass",
        HOST_KEYS,
    ),
    Fault(
        "a changed key is taken",
        "nodriza/ssh/hostkeys.py:check",
        "raise changed(hop, key, found)",
        "return",
        HOST_KEYS,
    ),
    Fault(
        "a revoked key is taken",
        "nodriza/ssh/hostkeys.py:check",
        "refuse_bad(hop, key)",
        "pass",
        HOST_KEYS,
    ),
    Fault(
        "a revoked key is accepted",
        "nodriza/ssh/accept.py",
        """\
    hostkeys.refuse_bad(hop, key)
""",
        "",
        HOST_KEYS,
    ),
    Fault(
        "a key that is too short is taken",
        "nodriza/ssh/hostkeys.py:is_short",
        "key.get_bits() < hop.rsa_bits",
        "False",
        HOST_KEYS,
    ),
    Fault(
        "a list of revoked keys is not read",
        "nodriza/ssh/hostkeys.py:refuse_bad",
        "if _lists(Path(path), key):",
        "if False:",
        HOST_KEYS,
    ),
    Fault(
        "a list of revoked keys that can't be read revokes none",
        "nodriza/ssh/hostkeys.py:_lists",
        "raise _unreadable(path, error.strerror) from None",
        "return False",
        HOST_KEYS,
    ),
    Fault(
        "a file of known hosts that can't be read is an empty one",
        "nodriza/ssh/hostkeys.py:_text",
        "raise _unreadable(path, error.strerror) from None",
        'return ""',
        HOST_KEYS,
    ),
    Fault(
        "a damaged line that revokes revokes nothing",
        "nodriza/ssh/hostkeys.py:_blob",
        """\
        raise HostKeyError(
""",
        """\
        return b""
        raise HostKeyError(
""",
        HOST_KEYS,
    ),
    Fault(
        "a pattern that leaves a host out is not read",
        "nodriza/ssh/hostkeys.py:_is_about",
        "return False",
        "pass",
        HOST_KEYS,
    ),
    Fault(
        "the client's policy can be changed",
        "nodriza/ssh/client.py:Client.set_missing_host_key_policy",
        "raise TypeError(",
        "TypeError(",
        ("ssh/test_one_client.py",),
    ),
    Fault(
        "the client has a list of keys beside the files",
        "nodriza/ssh/client.py:Client.get_host_keys",
        "return paramiko.HostKeys()",
        "return super().get_host_keys()",
        ("ssh/test_one_client.py",),
    ),
    Fault(
        "the client's check is not asked",
        "nodriza/ssh/client.py:_Check.missing_host_key",
        "hostkeys.check(self.hop, key)",
        "pass",
        (*WAYS, *HOST_KEYS),
    ),
)
