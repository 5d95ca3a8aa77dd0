"""Who may include whom. Each rule is also shown a wrong example, so that it cannot pass by finding nothing."""
import re
import unittest

from tests.house import sources

FLOORS = ("schemas", "storage", "runtime", "net", "actors", "bin")
# Folders of actors/ that others may include: libraries, and ...
LIBRARIES = ("common", "kinds", "tool", "provider")
# ... the ones that put the features together, which may include every other.
ASSEMBLERS = ("application", "system")

# Third-party headers: where they may be named. A pattern of an include, patterns of the files that may have it.
KEPT_IN = (
    (r"<rocksdb/", (r"storage/.*",)),
    (r"<caf/", (r"runtime/.*",)),
    (r"<boost/(beast|asio)", (r"net/.*",)),
    (r"<simdjson", (r"schemas/.*\.cpp",)),
    (r"<yaml-cpp/", (r"runtime/config/.*\.cpp", r"actors/provider/.*\.cpp", r"bin/.*\.cpp")),
)

# Headers of ours that show what is nobody's business above, as entries that may be dropped again.
OF_ONE_FLOOR = {'"storage/written_log.hpp"': "storage/"}


def includes(text):
    """What a text includes, with its brackets: '"net/http/edge.hpp"', '<caf/send.hpp>'."""
    return re.findall(r'^\s*#\s*include\s+("[^"]+"|<[^>]+>)', text, re.MULTILINE)


def floor_of(path):
    """The floor of a file, from 0; a test belongs to the floor that its folder mirrors. None: no floor's, as the
    headers that all tests share."""
    parts = path.split("/")
    if parts[0] == "tests":
        parts = parts[1:]
        if parts[0] == "bench":
            return len(FLOORS) - 1
    return FLOORS.index(parts[0]) if parts[0] in FLOORS else None


def climbs(path, include):
    """Whether a file includes a floor above its own."""
    target = floor_of(include.strip('"')) if include.startswith('"') else None
    own = floor_of(path)
    return target is not None and own is not None and target > own


def crosses(path, include):
    """Whether a feature includes another feature."""
    own = re.match(r"actors/([^/]+)/", path)
    target = re.match(r'"actors/([^/]+)/', include)
    if not own or not target or own[1] == target[1] or own[1] in ASSEMBLERS:
        return False
    return target[1] not in LIBRARIES


def leaks(path, include):
    """Whether a file of the house names a third-party header that is kept elsewhere. Tests may name any."""
    if path.startswith("tests/"):
        return False
    for header, places in KEPT_IN:
        if re.match(header, include):
            return not any(re.fullmatch(place, path) for place in places)
    return False


def reads_beyond(path, include):
    """Whether a file includes a header that is for one floor alone. Tests may include any."""
    floor = OF_ONE_FLOOR.get(include)
    return floor is not None and not path.startswith((floor, "tests/"))


def reaches_into_tests(path, include):
    return not path.startswith("tests/") and include.startswith('"tests/')


def is_relative(_, include):
    """Whether an include of ours is not written from the root of the repository."""
    return include.startswith('"') and include.strip('"').split("/")[0] not in FLOORS + ("tests",)


class Floors(unittest.TestCase):
    maxDiff = None

    def assert_nowhere(self, rule):
        wrong = [f"{path} includes {include}" for path in sources.cpp_files()
                 for include in includes(sources.text(path)) if rule(path, include)]
        self.assertEqual(wrong, [])

    def test_there_are_includes_to_judge(self):
        self.assertGreater(sum(len(includes(sources.text(path))) for path in sources.cpp_files()), 1000)
        self.assertEqual(includes('#include "a/b.hpp"\n  # include <c>\n// #include <d>\n'), ['"a/b.hpp"', "<c>"])

    def test_no_file_includes_a_higher_floor(self):
        self.assertTrue(climbs("storage/store.cpp", '"runtime/node.hpp"'))
        self.assertTrue(climbs("tests/schemas/json_test.cpp", '"storage/store.hpp"'))
        self.assertFalse(climbs("runtime/node.cpp", '"storage/store.hpp"'))
        self.assertFalse(climbs("runtime/node.cpp", '"runtime/node.hpp"'))
        self.assertFalse(climbs("tests/storage/store_test.cpp", '"storage/store.hpp"'))
        self.assertFalse(climbs("tests/storage/store_test.cpp", '"tests/temporary_directory.hpp"'))
        self.assert_nowhere(climbs)

    def test_no_feature_includes_another(self):
        self.assertTrue(crosses("actors/run/run_model.cpp", '"actors/agent/agent_model.hpp"'))
        self.assertTrue(crosses("actors/tool/tool.cpp", '"actors/run/run_model.hpp"'))
        self.assertTrue(crosses("actors/run/run_model.cpp", '"actors/application/application.hpp"'))
        self.assertFalse(crosses("actors/run/run_model.cpp", '"actors/run/run_state.hpp"'))
        self.assertFalse(crosses("actors/run/run_model.cpp", '"actors/tool/tool.hpp"'))
        self.assertFalse(crosses("actors/application/application.cpp", '"actors/agent/agent_model.hpp"'))
        self.assert_nowhere(crosses)

    def test_third_party_headers_stay_where_they_belong(self):
        self.assertTrue(leaks("runtime/node.cpp", "<rocksdb/db.h>"))
        self.assertTrue(leaks("actors/run/run_model.cpp", "<caf/send.hpp>"))
        self.assertTrue(leaks("bin/cli/api.cpp", "<boost/asio/post.hpp>"))
        self.assertTrue(leaks("schemas/base/json.hpp", "<simdjson.h>"))
        self.assertTrue(leaks("runtime/config/config.hpp", "<yaml-cpp/yaml.h>"))
        self.assertFalse(leaks("storage/store.cpp", "<rocksdb/db.h>"))
        self.assertFalse(leaks("runtime/config/load.cpp", "<yaml-cpp/yaml.h>"))
        self.assertFalse(leaks("net/http/edge.cpp", "<vector>"))
        self.assert_nowhere(leaks)

    def test_who_shows_records_reads_what_is_applied(self):
        self.assertTrue(reads_beyond("runtime/bus/hub.cpp", '"storage/written_log.hpp"'))
        self.assertFalse(reads_beyond("storage/shard_log.cpp", '"storage/written_log.hpp"'))
        self.assertFalse(reads_beyond("runtime/bus/hub.cpp", '"storage/log_reader.hpp"'))
        self.assert_nowhere(reads_beyond)

    def test_nothing_includes_tests(self):
        self.assertTrue(reaches_into_tests("net/http/edge.cpp", '"tests/net/loopback.hpp"'))
        self.assertFalse(reaches_into_tests("tests/net/live_test.cpp", '"tests/net/loopback.hpp"'))
        self.assert_nowhere(reaches_into_tests)

    def test_includes_are_written_from_the_root(self):
        self.assertTrue(is_relative("net/http/edge.cpp", '"edge.hpp"'))
        self.assertTrue(is_relative("net/http/edge.cpp", '"../http/edge.hpp"'))
        self.assertFalse(is_relative("net/http/edge.cpp", '"net/http/edge.hpp"'))
        self.assert_nowhere(is_relative)


if __name__ == "__main__":
    unittest.main()
