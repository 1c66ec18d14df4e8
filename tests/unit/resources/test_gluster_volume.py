"""GlusterVolume, with answers recorded from GlusterFS 11; the lab runs the real one."""

import pytest

from nodriza.host.errors import CommandFailed, HostError, Result
from nodriza.host.host import Host
from nodriza.resources import GlusterVolume, gap_between

VOLUME = GlusterVolume(
    "app",
    "198.18.99.1:/srv/.brick/app",
    allow=("198.18.99.2", "198.18.99.1"),
    options=(("nfs.disable", "on"),),
)
INFO = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<cliOutput>
  <opRet>0</opRet>
  <opErrno>0</opErrno>
  <opErrstr/>
  <volInfo>
    <volumes>
      <volume>
        <name>app</name>
        <id>eb1ff6c6-eb2c-4570-b6c7-f801c4c02f41</id>
        <status>1</status>
        <statusStr>Started</statusStr>
        <brickCount>1</brickCount>
        <typeStr>Distribute</typeStr>
        <bricks>
          <brick uuid="f7fbc042-cf77-4222-a39a-1c3425a3de75">198.18.99.1:/srv/.brick/app\
<name>198.18.99.1:/srv/.brick/app</name><isArbiter>0</isArbiter></brick>
        </bricks>
        <optCount>2</optCount>
        <options>
          <option>
            <name>auth.allow</name>
            <value>198.18.99.1,198.18.99.2</value>
          </option>
          <option>
            <name>nfs.disable</name>
            <value>on</value>
          </option>
        </options>
      </volume>
      <count>1</count>
    </volumes>
  </volInfo>
</cliOutput>
"""
NONE = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<cliOutput><opRet>0</opRet><opErrno>0</opErrno><opErrstr/>
<volInfo><volumes><count>0</count></volumes></volInfo></cliOutput>
"""
DONE = "<cliOutput><opRet>0</opRet><opErrno>0</opErrno><opErrstr/></cliOutput>"
REFUSED = """<cliOutput><opRet>-1</opRet><opErrno>0</opErrno>
<opErrstr>Host 198.18.99.1 is not in 'Peer in Cluster' state</opErrstr></cliOutput>"""
AWAY = "Connection failed. Please check if gluster daemon is operational.\n"


class HostWithGluster(Host):
    """Gives recorded answers; ``said`` is what it was asked."""

    def __init__(self, root, *infos, answer=DONE):
        super().__init__(str(root))
        self.infos = list(infos)
        self.answer = answer
        self.said = []

    def run(self, argv, **options):
        words = " ".join(argv[3:])
        if words == "volume info all":
            return Result(argv, 0, self.infos.pop(0), "")
        self.said.append(words)
        return Result(argv, 0, self.answer, "")


def look(host):
    return GlusterVolume.look(host, [VOLUME])[0]


def test_volume__is_seen_with_its_brick_and_options(tmp_path):
    assert gap_between(VOLUME, look(HostWithGluster(tmp_path, INFO))) == {}


@pytest.mark.parametrize("answer", [NONE, AWAY, ""], ids=["no volume", "no daemon", "no program"])
def test_volume__is_absent_where_there_is(tmp_path, answer):
    assert look(HostWithGluster(tmp_path, answer)) is None


def test_volume__is_closed_to_others_before_it_starts(tmp_path):
    host = HostWithGluster(
        tmp_path, INFO.replace("Started", "Created").replace(",198.18.99.2", "")
    )
    VOLUME.fix(host, None)
    assert host.said == [
        "volume create app 198.18.99.1:/srv/.brick/app force",
        "volume set app auth.allow 198.18.99.1,198.18.99.2",
        "volume start app",
    ]
    assert host.stat("/srv/.brick/app").type == "directory"


@pytest.mark.parametrize(
    ("seen", "wanted", "said"),
    [
        ("Started", "Stopped", ["volume start app"]),
        ("<value>on<", "<value>off<", ["volume set app nfs.disable on"]),
        ("auth.allow", "auth.reject", ["volume set app auth.allow 198.18.99.1,198.18.99.2"]),
    ],
)
def test_volume__that_is_there_changes_only_in_what_differs(tmp_path, seen, wanted, said):
    host = HostWithGluster(tmp_path, INFO.replace(seen, wanted))
    now = look(host)
    assert gap_between(VOLUME, now)
    VOLUME.fix(host, now)
    assert host.said == said


def test_volume__with_its_data_elsewhere_is_left_alone(tmp_path):
    host = HostWithGluster(tmp_path, INFO.replace("/srv/.brick/app", "/old"))
    with pytest.raises(HostError, match=r"has its data in 198\.18\.99\.1:/old"):
        VOLUME.fix(host, look(host))
    assert host.said == []


def test_volume__that_gluster_refuses_says_why(tmp_path):
    """The exit code is 0 then, the refusal is in the answer."""
    host = HostWithGluster(tmp_path, answer=REFUSED)
    with pytest.raises(CommandFailed, match="not in 'Peer in Cluster' state"):
        VOLUME.fix(host, None)


def test_volume__fails_while_the_daemon_is_away(tmp_path):
    with pytest.raises(CommandFailed, match="check if gluster daemon is operational"):
        VOLUME.fix(HostWithGluster(tmp_path, answer=AWAY), None)


def test_strays__are_the_volumes_that_nobody_declared(tmp_path):
    other = GlusterVolume("other", "198.18.99.1:/b", ())
    host = HostWithGluster(tmp_path, INFO, INFO)
    assert GlusterVolume.strays(host, [VOLUME]) == []
    assert GlusterVolume.strays(host, [other]) == ["there is a volume app"]
