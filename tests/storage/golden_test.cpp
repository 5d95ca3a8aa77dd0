#include "tests/golden.hpp"

#include "schemas/backup.hpp"
#include "schemas/base/cipher.hpp"
#include "storage/bytes.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"
#include "storage/tables.hpp"
#include "storage/views.hpp"
#include "tests/storage/sample_record.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>

using namespace troupe;
using namespace troupe::storage;
namespace golden = troupe::test::golden;

namespace {

record sample_record() { return test::sample_record({golden::sample<uuid>(), "task", golden::sample<uuid>()}); }

/// The bytes that a format gives for a fixed value: they do not change as long as the format has its number.
std::optional<std::string> bytes_of(const std::string& name, int format, const std::string& now) {
    const auto path = "storage/" + name + ".v" + std::to_string(format) + ".json";
    const auto text = golden::file(path, "the format of " + name, [&] {
        return "{\"type\": " + json::quoted(name) + ",\n\"version\": " + std::to_string(format) +
               ",\n\"stored\": " + json::quoted(to_hex(now)) + "}\n";
    });
    if (!text) {
        return std::nullopt;
    }
    auto stored = golden::member(*text, "stored");
    const bool same = stored == json::quoted(to_hex(now));
    BOOST_CHECK_MESSAGE(same, "the bytes of " << name << " changed, and its format is still " << format
                                              << ": raise the number, read the old one too, and run tests/golden/make. "
                                                 "(Until formats are binding, see DESIGN, its golden file and the line "
                                                 "in tests/golden/MANIFEST may be deleted and made anew instead.)\n  "
                                              << path << " has " << stored << "\n  now " << to_hex(now));
    return stored.size() < 2 ? std::nullopt : from_hex(stored.substr(1, stored.size() - 2));
}

} // namespace

BOOST_AUTO_TEST_SUITE(golden_files)

BOOST_AUTO_TEST_CASE(records_are_read_as_they_were_written_once) {
    const auto r = sample_record();
    const auto bytes = bytes_of("record", record_format, encode_record(r));
    BOOST_REQUIRE(bytes);
    const auto read = decode_record(r.shard, r.seq, *bytes);
    BOOST_REQUIRE_MESSAGE(read, (read ? "" : read.error().detail));
    BOOST_TEST(read->payload == r.payload);
    BOOST_TEST(read->version == r.version);
    BOOST_TEST((encode_record(*read) == *bytes));
}

BOOST_AUTO_TEST_CASE(records_of_older_formats_are_read_and_those_of_format_1_know_no_client) {
    for (const auto* name : {"storage/record.v1.json", "storage/record.v2.json"}) {
        const auto text = golden::file(name, "the format of record", [] { return std::string(); });
        BOOST_REQUIRE(text);
        const auto stored = golden::member(*text, "stored");
        const auto bytes = from_hex(stored.substr(1, stored.size() - 2));
        BOOST_REQUIRE(bytes);
        auto wanted = sample_record();
        const auto read = decode_record(wanted.shard, wanted.seq, *bytes);
        BOOST_REQUIRE_MESSAGE(read, (read ? "" : read.error().detail));
        if (std::string_view(name).ends_with("v1.json")) {
            wanted.client = {};
        }
        BOOST_TEST((*read == wanted));
    }
}

BOOST_AUTO_TEST_CASE(rows_of_derived_tables_are_read_as_they_were_written_once) {
    const auto row = [](const std::string& name, const std::string& now, auto decode) {
        const auto bytes = bytes_of(name, static_cast<unsigned char>(now.front()), now);
        BOOST_CHECK_MESSAGE(!bytes || decode(*bytes), "a stored " << name << " cannot be read any more");
    };
    row("command_row", encode_command_row({0xfedcba9876543210, 7, 3, {1'763'700'000'123}}), decode_command_row);
    row("document_row", encode_document_row({300, R"({"a":1})", {{"", "sort"}, {"status=inbox", "sort"}}}),
        decode_document_row);
    row("snapshot_row", encode_snapshot_row({300, 2, R"({"a":1})"}),
        [](std::string_view bytes) { return decode_snapshot_row(300, bytes); });
}

BOOST_AUTO_TEST_CASE(what_a_data_directory_says_of_itself_is_read_as_it_was_written_once) {
    golden::check_command<identity>("storage", "identity", "identity.json");
    golden::check_command<backup_manifest>("storage", "backup_manifest", "the manifest of a backup");
}

BOOST_AUTO_TEST_SUITE_END()
