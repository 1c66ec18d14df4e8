"""Volumes of GlusterFS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Dict, List, Optional, Sequence, Tuple
from xml.etree import ElementTree

from nodriza.host.errors import CommandFailed
from nodriza.resources.base import Resource, State, Value

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class GlusterVolume(Resource):
    """A started volume of one brick ("address:/path"), open to ``allow`` only.

    The brick's directory is made when it is missing. Further ``options`` are pairs, as in
    "gluster volume set" (gluster(8)); those not named stay as they are. The volume is
    closed to others before it is started for the first time.
    """

    name: str
    brick: str
    allow: Tuple[str, ...] = ()
    options: Tuple[Tuple[str, str], ...] = ()
    STAYS: ClassVar[str] = "its data stay"

    def __post_init__(self) -> None:
        object.__setattr__(self, "allow", tuple(self.allow))
        object.__setattr__(self, "options", tuple((key, value) for key, value in self.options))

    def wanted(self) -> State:
        """Options by their own names, so that each shows in the gap."""
        return {"started": True, "brick": self.brick, **self._settings()}

    def _settings(self) -> Dict[str, Value]:
        allow = {"auth.allow": ",".join(sorted(self.allow))} if self.allow else {}
        return {**allow, **dict(self.options)}

    @classmethod
    def look(cls, host: Host, many: Sequence[GlusterVolume]) -> List[State]:
        """All volumes at once; none where Gluster isn't installed or doesn't run."""
        volumes = _volumes(host)
        return [volumes.get(volume.name) for volume in many]

    def fix(self, host: Host, now: State) -> None:
        """Create, set, start. A brick isn't moved: there is data in it."""
        wanted = self._settings()
        if now is None:
            host.mkdirs("/" + self.brick.partition(":/")[2])
            # "force": a brick on the root file system is what a small cluster has.
            _gluster(host, "volume", "create", self.name, self.brick, "force")
            now = _volumes(host).get(self.name)  # it comes with some options already set
        elif now["brick"] != self.brick:
            host.refuse(
                f"the volume {self.name} has its data in {now['brick']}, not in {self.brick};"
                " move it with gluster volume replace-brick"
            )
        due = {key: value for key, value in wanted.items() if (now or {}).get(key) != value}
        if due:
            pairs = [str(word) for pair in due.items() for word in pair]
            _gluster(host, "volume", "set", self.name, *pairs)
        if not (now and now["started"]):
            _gluster(host, "volume", "start", self.name)

    @classmethod
    def strays(cls, host: Host, many: Sequence[GlusterVolume]) -> List[str]:
        """Other volumes of this server."""
        names = set(_volumes(host)) - {volume.name for volume in many}
        return [f"there is a volume {name}" for name in sorted(names)]


def _volumes(host: Host) -> Dict[str, Dict[str, Value]]:
    found: Dict[str, Dict[str, Value]] = {}
    tree = _gluster(host, "volume", "info", "all", may_be_away=True)
    for volume in [] if tree is None else tree.iter("volume"):
        state: Dict[str, Value] = {
            option.findtext("name", ""): option.findtext("value", "")
            for option in volume.iter("option")
        }
        state["started"] = volume.findtext("statusStr") == "Started"
        state["brick"] = " ".join(brick.findtext("name", "") for brick in volume.iter("brick"))
        if "auth.allow" in state:
            state["auth.allow"] = ",".join(sorted(str(state["auth.allow"]).split(",")))
        found[volume.findtext("name", "")] = state
    return found


def _gluster(host: Host, *words: str, may_be_away: bool = False) -> Optional[ElementTree.Element]:
    """Run the gluster program; its answer is XML, and an error is in it, not in the exit."""
    result = host.run(["gluster", "--mode=script", "--xml", *words], check=False, timeout=180)
    try:
        tree = ElementTree.fromstring(result.out)  # noqa: S314 - our own daemon's words
    except ElementTree.ParseError:
        if may_be_away:  # not installed, or "Connection failed" in plain text
            return None
        raise CommandFailed(result) from None
    if tree.findtext("opRet") != "0":
        said = tree.findtext("opErrstr") or tree.findtext("output") or result.err
        raise CommandFailed(result._replace(exit=result.exit or 1, out="", err=said))
    return tree
