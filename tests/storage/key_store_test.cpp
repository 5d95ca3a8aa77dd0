#include "storage/key_store.hpp"

#include "schemas/base/durable_file.hpp"
#include "tests/storage/fake_wrapping.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& file) { return read_whole_file(file, 1 << 20).value(); }

void write_text(const fs::path& file, std::string_view text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

std::map<std::string, std::string> all_files(const fs::path& folder) {
    std::map<std::string, std::string> out;
    for (const auto& each : fs::directory_iterator(folder)) {
        out.emplace(each.path().filename().string(), each.is_regular_file() ? text_of(each.path()) : "a folder");
    }
    return out;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = text.find('\n', begin);
        out.push_back(text.substr(begin, end - begin));
        begin = end == std::string::npos ? text.size() : end + 1;
    }
    return out;
}

bool same(const payload_key& a, const payload_key& b) {
    return a.number == b.number && a.subject == b.subject && a.sealing == b.sealing && a.hiding == b.hiding;
}

/// Bytes of the key of a subject, for comparisons over a restart.
struct key_bytes {
    explicit key_bytes(const payload_key& k) : number(k.number), sealing(k.sealing), hiding(k.hiding) {}
    bool operator==(const key_bytes&) const = default;
    std::uint32_t number;
    std::array<unsigned char, payload_key::sealing_bytes> sealing;
    std::array<unsigned char, payload_key::hiding_bytes> hiding;
};

/// A folder of keys with a store on it.
struct keys_fixture {
    keys_fixture() { reopen(); }
    void reopen(const std::string& current = "first", const std::string& other = {}) {
        keys.reset();
        auto opened = open_keys(folder, current, other);
        BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
        keys = std::move(*opened);
    }
    [[nodiscard]] fs::path file(int number = 0) const { return folder / ("keys-00000" + std::to_string(number)); }
    key_bytes make(const uuid& subject) { return key_bytes(*keys->of(subject).value()); }
    [[nodiscard]] std::string wrapped(const uuid& subject) const {
        for (const auto& line : lines_of(text_of(file()))) {
            if (line.find(to_string(subject)) != std::string::npos) {
                return line.substr(line.rfind(' ') + 1);
            }
        }
        return {};
    }

    temporary_directory directory;
    fs::path folder = directory.path / "keys";
    std::unique_ptr<key_store> keys;
};

} // namespace

BOOST_AUTO_TEST_SUITE(key_store_of_contents)

BOOST_AUTO_TEST_CASE(a_first_key_is_on_disk_before_it_is_given_and_stays_the_same) {
    keys_fixture f;
    BOOST_TEST(f.keys->is_empty());
    BOOST_TEST(!key_store::has_keys(f.folder));
    const auto subject = make_uuid();
    BOOST_TEST((f.keys->existing(subject).value() == nullptr));
    BOOST_TEST(!fs::exists(f.file()));
    const auto key = f.keys->of(subject).value();
    BOOST_TEST(lines_of(text_of(f.file())).size() == 1u);
    BOOST_TEST(key_store::has_keys(f.folder));
    BOOST_TEST(same(*f.keys->of(subject).value(), *key));
    BOOST_TEST(same(*f.keys->existing(subject).value(), *key));
    BOOST_TEST(same(*f.keys->numbered(key->number).value(), *key));
    BOOST_TEST(lines_of(text_of(f.file())).size() == 1u);
    BOOST_TEST(!f.keys->is_empty());
    const auto other = f.keys->of(make_uuid()).value();
    BOOST_TEST(other->number == 2u);
    BOOST_TEST((other->sealing != key->sealing && other->hiding != key->hiding));
    BOOST_TEST((fs::status(f.folder).permissions() == fs::perms::owner_all));
    BOOST_TEST((fs::status(f.file()).permissions() == (fs::perms::owner_read | fs::perms::owner_write)));
    BOOST_TEST((f.keys->numbered(3).error().code == code::secrets_locked));
    BOOST_TEST((f.keys->numbered(0).error().code == code::secrets_locked));
}

BOOST_AUTO_TEST_CASE(three_hundred_subjects_in_two_files_are_the_same_after_a_restart) {
    keys_fixture f;
    std::map<uuid, key_bytes> made;
    for (int i = 0; i < 300; ++i) {
        const auto subject = make_uuid();
        made.emplace(subject, f.make(subject));
    }
    BOOST_TEST(lines_of(text_of(f.file(0))).size() == 256u);
    BOOST_TEST(lines_of(text_of(f.file(1))).size() == 44u);
    f.reopen();
    for (const auto& [subject, key] : made) {
        BOOST_REQUIRE((key_bytes(*f.keys->existing(subject).value()) == key));
    }
    BOOST_TEST(f.make(make_uuid()).number == 301u);
    BOOST_TEST(lines_of(text_of(f.file(1))).size() == 45u);
}

BOOST_AUTO_TEST_CASE(a_torn_last_line_is_dropped_and_all_before_it_kept) {
    keys_fixture f;
    const auto first = make_uuid();
    const auto second = make_uuid();
    const auto key = f.make(first);
    const auto whole = text_of(f.file());
    f.make(second);
    const auto both = text_of(f.file());
    for (auto length = whole.size() + 1; length < both.size(); ++length) {
        write_text(f.file(), both.substr(0, length));
        f.reopen();
        BOOST_REQUIRE((key_bytes(*f.keys->existing(first).value()) == key));
        BOOST_REQUIRE((f.keys->existing(second).value() == nullptr));
        BOOST_REQUIRE(text_of(f.file()) == whole);
    }
    BOOST_TEST(f.make(second).number == 2u);
    f.reopen();
    BOOST_TEST((f.keys->existing(second).value() != nullptr));
}

BOOST_AUTO_TEST_CASE(whoever_only_reads_leaves_a_torn_line_alone) {
    keys_fixture f;
    const auto subject = make_uuid();
    f.make(subject);
    const auto torn = text_of(f.file()) + "key 2 torn";
    write_text(f.file(), torn);
    const auto read = key_store::open(f.folder, std::make_shared<fake_wrapping>(), true);
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(((*read)->existing(subject).value() != nullptr));
    BOOST_TEST(text_of(f.file()) == torn);
}

BOOST_AUTO_TEST_CASE(a_damaged_line_is_named_with_its_file_and_number) {
    keys_fixture f;
    for (int i = 0; i < 3; ++i) {
        f.make(make_uuid());
    }
    const auto good = lines_of(text_of(f.file()));
    const auto subject = to_string(make_uuid());
    for (const auto& bad : {std::string("nonsense"), std::string(), "key 2 " + subject, "key 0 " + subject + " x",
                            "key 3 " + subject + " x", "key two " + subject + " x", std::string("key 2 nobody x"),
                            "erased 2 " + subject + " yesterday", good[0], std::string("key 2") + good[0].substr(5)}) {
        write_text(f.file(), good[0] + "\n" + bad + "\n" + good[2] + "\n");
        const auto opened = open_keys(f.folder);
        BOOST_TEST_CONTEXT(bad) {
            BOOST_REQUIRE(opened.has_error());
            BOOST_TEST((opened.error().code == code::journal_damaged));
            BOOST_TEST(opened.error().detail.find(f.file().string() + ", line 2 ") != std::string::npos,
                       opened.error().detail);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_lost_is_damage_and_not_forgotten_keys) {
    keys_fixture f;
    for (int i = 0; i < 257; ++i) {
        f.make(make_uuid());
    }
    fs::remove(f.file(0));
    const auto opened = open_keys(f.folder);
    BOOST_REQUIRE(opened.has_error());
    BOOST_TEST((opened.error().code == code::journal_damaged));
    BOOST_TEST(opened.error().detail.find(f.file(1).string()) != std::string::npos, opened.error().detail);
}

BOOST_AUTO_TEST_CASE(another_master_key_opens_nothing_and_changes_nothing) {
    keys_fixture f;
    f.make(make_uuid());
    f.make(make_uuid());
    const auto before = all_files(f.folder);
    const auto opened = open_keys(f.folder, "second");
    BOOST_REQUIRE(opened.has_error());
    BOOST_TEST((opened.error().code == code::secrets_locked));
    BOOST_TEST((all_files(f.folder) == before));
}

BOOST_AUTO_TEST_CASE(a_key_under_another_subject_or_number_does_not_open) {
    keys_fixture f;
    const auto a = make_uuid();
    const auto b = make_uuid();
    f.make(a);
    f.make(b);
    auto text = text_of(f.file());
    const auto at = text.find(to_string(a));
    text.replace(at, to_string(a).size(), to_string(make_uuid()));
    write_text(f.file(), text);
    BOOST_TEST((open_keys(f.folder).error().code == code::secrets_locked));
}

BOOST_AUTO_TEST_CASE(a_destroyed_key_is_in_no_file_and_its_subject_gets_none_again) {
    keys_fixture f;
    const auto gone = make_uuid();
    const auto stays = make_uuid();
    const auto number = f.make(gone).number;
    const auto other = f.make(stays);
    const auto wrapped = f.wrapped(gone);
    BOOST_REQUIRE(!wrapped.empty());
    const timestamp when{1'700'000'000'000};
    BOOST_TEST(f.keys->erased_count() == 0u);
    BOOST_REQUIRE(f.keys->destroy(gone, when).has_value());
    for (const bool restarted : {false, true}) {
        if (restarted) {
            f.reopen();
        }
        BOOST_TEST(text_of(f.file()).find(wrapped) == std::string::npos);
        BOOST_TEST((f.keys->of(gone).error().code == code::erased));
        BOOST_TEST((f.keys->existing(gone).error().code == code::erased));
        BOOST_TEST((f.keys->numbered(number).error().code == code::erased));
        BOOST_TEST(f.keys->is_erased(number));
        BOOST_TEST(!f.keys->is_erased(other.number));
        BOOST_TEST(f.keys->erased_at(gone)->ms == when.ms);
        BOOST_TEST(!f.keys->erased_at(stays).has_value());
        BOOST_TEST(f.keys->erased_count() == 1u);
        BOOST_TEST((key_bytes(*f.keys->of(stays).value()) == other));
        const auto before = all_files(f.folder);
        BOOST_TEST(f.keys->destroy(gone, when + 1000).has_value()); // a repeat
        BOOST_TEST((all_files(f.folder) == before));
        BOOST_TEST(f.keys->erased_at(gone)->ms == when.ms);
        BOOST_TEST(f.keys->erased_count() == 1u);
    }
}

BOOST_AUTO_TEST_CASE(who_had_no_key_when_erased_gets_none_later) {
    keys_fixture f;
    const auto subject = make_uuid();
    BOOST_REQUIRE(f.keys->destroy(subject, {5}).has_value());
    BOOST_TEST((f.keys->of(subject).error().code == code::erased));
    f.reopen();
    BOOST_TEST((f.keys->of(subject).error().code == code::erased));
}

BOOST_AUTO_TEST_CASE(a_destruction_that_cannot_be_written_leaves_the_key_usable) {
    keys_fixture f;
    const auto subject = make_uuid();
    const auto key = f.make(subject);
    const auto aside = f.directory.path / "aside";
    fs::rename(f.file(), aside); // root may write to what is read-only, but nobody replaces a folder with a file
    fs::create_directory(f.file());
    write_text(f.file() / "x", "");
    BOOST_TEST(f.keys->destroy(subject, {5}).has_error());
    BOOST_TEST((key_bytes(*f.keys->of(subject).value()) == key));
    BOOST_TEST((key_bytes(*f.keys->numbered(key.number).value()) == key));
    BOOST_TEST(f.keys->erased_count() == 0u);
    BOOST_TEST(f.keys->of(make_uuid()).has_error()); // a key that is not on disk is given to nobody
    fs::remove_all(f.file());
    fs::rename(aside, f.file());
    BOOST_REQUIRE(f.keys->destroy(subject, {6}).has_value());
    BOOST_TEST((f.keys->of(subject).error().code == code::erased));
    BOOST_TEST(f.make(make_uuid()).number == 2u);
    f.reopen();
    BOOST_TEST((f.keys->of(subject).error().code == code::erased));
}

BOOST_AUTO_TEST_CASE(keys_wrapped_anew_are_the_same_and_need_the_new_master_key_only) {
    keys_fixture f;
    const auto a = make_uuid();
    const auto gone = make_uuid();
    const auto key = f.make(a);
    f.make(gone);
    BOOST_REQUIRE(f.keys->destroy(gone, {5}).has_value());
    const auto refused = f.keys->wrap_with(std::make_shared<fake_wrapping>("second"));
    BOOST_REQUIRE(refused.has_error()); // which does not know the first
    BOOST_TEST((refused.error().code == code::secrets_locked));
    f.reopen();
    BOOST_REQUIRE(f.keys->wrap_with(std::make_shared<fake_wrapping>("second", "first")).has_value());
    const auto b = make_uuid();
    const auto late = f.make(b);
    BOOST_TEST(text_of(f.file()).find("first.") == std::string::npos);
    f.reopen("second");
    BOOST_TEST((key_bytes(*f.keys->of(a).value()) == key));
    BOOST_TEST((key_bytes(*f.keys->of(b).value()) == late));
    BOOST_TEST((f.keys->of(gone).error().code == code::erased));
    const auto before = all_files(f.folder);
    BOOST_TEST(f.keys->wrap_with(std::make_shared<fake_wrapping>("second", "first")).has_value()); // a repeat
    BOOST_TEST((all_files(f.folder) == before));
    BOOST_TEST((open_keys(f.folder).error().code == code::secrets_locked));
}

BOOST_AUTO_TEST_CASE(wrapping_anew_that_could_not_be_written_is_done_by_a_repeat) {
    keys_fixture f;
    const auto a = make_uuid();
    const auto key = f.make(a);
    const auto aside = f.directory.path / "aside";
    fs::rename(f.file(), aside);
    fs::create_directory(f.file());
    write_text(f.file() / "x", "");
    const auto both = std::make_shared<fake_wrapping>("second", "first");
    BOOST_TEST(f.keys->wrap_with(both).has_error());
    BOOST_TEST((key_bytes(*f.keys->of(a).value()) == key));
    fs::remove_all(f.file());
    fs::rename(aside, f.file());
    BOOST_REQUIRE(f.keys->wrap_with(both).has_value());
    f.reopen("second"); // else whoever drops the first master key now has lost all
    BOOST_TEST((key_bytes(*f.keys->of(a).value()) == key));
}

BOOST_AUTO_TEST_CASE(merged_files_keep_what_either_side_has_and_destroyed_wins) {
    for (const bool erased_here : {false, true}) {
        keys_fixture f;
        const auto a = make_uuid();
        const auto gone = make_uuid();
        f.make(a);
        f.make(gone);
        const auto wrapped = f.wrapped(gone);
        const auto before = f.keys->files().value();
        const auto late = make_uuid();
        BOOST_REQUIRE(f.keys->destroy(gone, {5}).has_value());
        f.make(late);
        const auto after = f.keys->files().value();
        const auto copy = f.directory.path / "backups" / "keys";
        BOOST_REQUIRE(merge_key_files(erased_here ? before : after, copy).has_value());
        BOOST_REQUIRE(merge_key_files(erased_here ? after : before, copy).has_value());
        BOOST_TEST((read_key_files(copy).value() == after));
        BOOST_TEST(text_of(copy / "keys-000000").find(wrapped) == std::string::npos);
        const auto again = open_keys(copy);
        BOOST_REQUIRE(again.has_value());
        BOOST_TEST(((*again)->of(gone).error().code == code::erased));
        BOOST_TEST(same(*(*again)->of(late).value(), *f.keys->of(late).value()));
        BOOST_TEST((fs::status(copy).permissions() == fs::perms::owner_all));
    }
}

BOOST_AUTO_TEST_CASE(keys_of_another_data_directory_are_not_mixed_with_these) {
    keys_fixture mine;
    keys_fixture foreign;
    mine.make(make_uuid());
    foreign.make(make_uuid());
    const auto before = all_files(mine.folder);
    const auto merged = merge_key_files(foreign.keys->files().value(), mine.folder);
    BOOST_REQUIRE(merged.has_error());
    BOOST_TEST((merged.error().code == code::conflict));
    BOOST_TEST((all_files(mine.folder) == before));
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_has_no_key_files) {
    temporary_directory directory;
    BOOST_TEST(read_key_files(directory.path / "nowhere").value().empty());
}

BOOST_AUTO_TEST_SUITE_END()
