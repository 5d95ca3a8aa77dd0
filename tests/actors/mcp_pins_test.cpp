#include "actors/mcp/mcp_pins.hpp"

#include "schemas/base/durable_file.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;

namespace {

net::mcp::tool add(const std::string& description = "Adds.") {
    net::mcp::tool out;
    out.name = "add";
    out.description = description;
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_pins_of_tools)

BOOST_AUTO_TEST_CASE(what_changed_is_not_known_until_it_is_accepted_also_later) {
    const test::temporary_directory folder;
    const auto file = folder.path / "mcp" / ".tools.json";
    {
        mcp_pins pins(file);
        BOOST_TEST(pins.is_known("mcp_a_add", add()));
        BOOST_TEST(pins.is_known("mcp_a_add", add()));
        BOOST_TEST(!pins.is_known("mcp_a_add", add("Adds, and more.")));
        BOOST_TEST(pins.save().has_value());
    }
    mcp_pins pins(file);
    BOOST_TEST(!pins.is_known("mcp_a_add", add("Adds, and more.")));
    pins.accept("mcp_a_add", add("Adds, and more."));
    BOOST_TEST(pins.is_known("mcp_a_add", add("Adds, and more.")));
    BOOST_TEST(!pins.is_known("mcp_a_add", add()));
}

BOOST_AUTO_TEST_CASE(each_part_of_what_it_says_counts) {
    const test::temporary_directory folder;
    mcp_pins pins(folder.path / "t.json");
    BOOST_TEST(pins.is_known("t", add()));
    auto other = add();
    other.inputSchema.text = R"({"type":"object","properties":{"to":{"type":"string"}}})";
    BOOST_TEST(!pins.is_known("t", other));
    other = add();
    other.annotations = json::raw{R"({"readOnlyHint":true})"};
    BOOST_TEST(!pins.is_known("t", other));
    other = add();
    other.title = "Adds.";
    other.description.reset();
    BOOST_TEST(!pins.is_known("t", other));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_none_counts_as_empty) {
    const test::temporary_directory folder;
    BOOST_TEST(replace_file(folder.path / "t.json", "what").has_value());
    mcp_pins pins(folder.path / "t.json");
    BOOST_TEST(pins.is_known("t", add()));
    BOOST_TEST(pins.save().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
