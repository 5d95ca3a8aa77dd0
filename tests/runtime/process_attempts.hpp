#pragma once

#include "tests/runtime/process_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <sstream>
#include <string>

namespace troupe::runtime::test {

using parts = std::map<std::string, std::string>;

/// tests/escape/attempts.cpp in the sandbox: what came of the parts of an attempt, by their names.
inline parts attempt(const workplace& w, const std::string& name) {
    fs::copy_file(attempts_path(), w.project / "attempts", fs::copy_options::overwrite_existing);
    const auto r = w.open()->run(name, w.shell("./attempts " + name), {}, {});
    BOOST_REQUIRE_MESSAGE(r, r.error().detail);
    BOOST_REQUIRE_MESSAGE(r->exit_code == 0, r->err);
    parts all;
    std::istringstream lines(r->out);
    for (std::string part, came; lines >> part >> came;) {
        all[part] = came;
    }
    BOOST_REQUIRE(!all.empty());
    return all;
}

inline parts attempt(const std::string& name) {
    const workplace w;
    return attempt(w, name);
}

inline void check(const parts& came, const parts& expected) {
    for (const auto& [part, error] : expected) {
        const auto found = came.find(part);
        BOOST_REQUIRE_MESSAGE(found != came.end(), part);
        BOOST_TEST(found->second == error, part << ": " << found->second << ", not " << error);
    }
}

} // namespace troupe::runtime::test
