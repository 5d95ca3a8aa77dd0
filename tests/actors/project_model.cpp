#include "actors/project/project_model.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using project = entity<project_model>;

std::string hash(char digit) { return std::string(64, digit); }

project made() {
    project p;
    p.accepted(create_project{{"calculator", "adds", {}}});
    return p;
}

save_files save(std::vector<file_change> changes, std::optional<std::uint64_t> base = {}, std::string by = "run/1") {
    return {std::move(changes), base, std::move(by)};
}

save_files_result answer_of(const project& p) { return *from_json<save_files_result>(p.answer(), strictness::stored); }

} // namespace

BOOST_AUTO_TEST_SUITE(project_model_suite)

BOOST_AUTO_TEST_CASE(created_project_is_listed_by_name_and_folder) {
    project p;
    p.accepted(create_project{{"calculator", "adds", "/home/me/calculator"}});
    const auto d = p.document<project_document>();
    BOOST_TEST(d.name == "calculator");
    BOOST_TEST(d.created_by == "key/tester");
    BOOST_TEST(d.version == 1u);
    BOOST_TEST(p.filters() == (texts{"", "name=calculator", "folder=/home/me/calculator"}),
               boost::test_tools::per_element());
    BOOST_TEST((p.refused(create_project{{"again", "", {}}}).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(folder_has_to_be_absolute_and_plain) {
    for (const auto* folder : {"relative/path", "/home/me/../root", "/home/./me"}) {
        project p;
        const auto refusal = p.refused(create_project{{"calculator", "", folder}});
        BOOST_TEST((refusal.code == code::invalid_request));
        BOOST_TEST(refusal.errors.at(0).pointer == "/folder");
    }
}

BOOST_AUTO_TEST_CASE(contents_are_named_as_long_as_a_file_has_them) {
    project_state s;
    const auto blobs = [&] {
        const auto names = project_model::blobs(s);
        return std::multiset<std::string>(names.begin(), names.end());
    };
    const auto apply = [&](const project_model::event& e) { s = project_model::apply(s, e, {}); };
    apply(file_saved{"a", hash('1'), 1, false, "run/1"});
    apply(file_saved{"b", hash('1'), 1, false, "run/1"});
    apply(file_saved{"b", hash('2'), 1, false, "run/1"});
    BOOST_TEST((blobs() == std::multiset{hash('1'), hash('2')}));
    apply(file_deleted{"a", "run/1"});
    BOOST_TEST((blobs() == std::multiset{hash('2')}));
    apply(project_deleted{});
    BOOST_TEST(blobs().empty());
}

BOOST_AUTO_TEST_CASE(update_keeps_what_is_not_given_and_a_repeat_changes_nothing) {
    auto p = made();
    p.accepted(update_project{{"computer", {}}});
    BOOST_TEST(p.document<project_document>().name == "computer");
    BOOST_TEST(p.document<project_document>().description == "adds");
    BOOST_TEST(p.accepted(update_project{{"computer", {}}}).empty());
}

BOOST_AUTO_TEST_CASE(written_file_is_in_the_manifest_and_the_same_again_changes_nothing) {
    auto p = made();
    p.accepted(write_file{"src/main.py", hash('a'), 10, false, {}});
    BOOST_TEST(p.items().size() == 1u);
    BOOST_TEST(p.items()[0].collection == files_collection);
    BOOST_TEST(p.items()[0].key == "src/main.py");
    const auto d = *from_json<file_document>(p.items()[0].document, strictness::input);
    BOOST_TEST(d.bytes == 10u);
    BOOST_TEST(d.updated_by == "key/tester");
    BOOST_TEST(p.accepted(write_file{"src/main.py", hash('a'), 10, false, {}}).empty());
    BOOST_TEST(p.accepted(write_file{"src/main.py", hash('a'), 10, true, {}}).size() == 1u);
    p.accepted(write_file{"src/main.py", hash('b'), 4, true, {}});
    BOOST_TEST(p.document<project_document>().files == 1u);
    BOOST_TEST(p.document<project_document>().bytes == 4u);
}

BOOST_AUTO_TEST_CASE(lost_race_for_a_file_is_refused) {
    auto p = made();
    BOOST_TEST((p.refused(write_file{"a", hash('b'), 1, {}, hash('a')}).code == code::precondition_failed));
    p.accepted(write_file{"a", hash('a'), 1, true, {}});
    BOOST_TEST((p.refused(write_file{"a", hash('c'), 1, {}, hash('b')}).code == code::precondition_failed));
    BOOST_TEST((p.refused(delete_file{"a", hash('b')}).code == code::precondition_failed));
    p.accepted(write_file{"a", hash('b'), 1, {}, hash('a')});
    BOOST_TEST(p.state().files.at("a").executable); // not given: as it was
    p.accepted(delete_file{"a", hash('b')});
}

BOOST_AUTO_TEST_CASE(files_of_a_folder_project_come_from_runs_only) {
    project p;
    p.accepted(create_project{{"calculator", "", "/home/me/calculator"}});
    BOOST_TEST((p.refused(write_file{"a", hash('a'), 1, {}, {}}).code == code::conflict));
    p.accepted(save({{"a", hash('a'), 1, false}}));
    BOOST_TEST((p.refused(delete_file{"a", {}}).code == code::conflict));
}

BOOST_AUTO_TEST_CASE(deleted_file_leaves_manifest_and_collection) {
    auto p = made();
    p.accepted(write_file{"a", hash('a'), 10, false, {}});
    p.accepted(delete_file{"a", {}});
    BOOST_TEST(p.items().at(0).document == "");
    BOOST_TEST(p.document<project_document>().bytes == 0u);
    BOOST_TEST((p.refused(delete_file{"a", {}}).code == code::not_found));
}

BOOST_AUTO_TEST_CASE(paths_that_leave_the_project_or_are_odd_are_refused) {
    auto p = made();
    const auto name = std::string(255, 'x');
    const auto long_path = name + '/' + name + '/' + name + '/' + name + "/x"; // 1025 bytes with one more
    BOOST_TEST_REQUIRE(long_path.size() >= 1024u);
    const std::vector<std::pair<std::string, code>> table = {{"", code::invalid_request},
                                                             {"/etc/passwd", code::path_outside_project},
                                                             {"..", code::path_outside_project},
                                                             {"a/../../b", code::path_outside_project},
                                                             {"a//b", code::invalid_request},
                                                             {"a/", code::invalid_request},
                                                             {"./a", code::invalid_request},
                                                             {".git/config", code::path_outside_project},
                                                             {"a/.git", code::path_outside_project},
                                                             {std::string("a\0b", 3), code::invalid_request},
                                                             {"a/" + std::string(256, 'x'), code::invalid_request},
                                                             {long_path + 'x', code::invalid_request}};
    for (const auto& [path, expected_code] : table) {
        BOOST_TEST((p.refused(write_file{path, hash('a'), 1, false, {}}).code == expected_code), path);
    }
    p.accepted(write_file{long_path.substr(0, 1022), hash('a'), 1, false, {}});
    p.accepted(write_file{".gitignore", hash('a'), 1, false, {}});
    p.accepted(write_file{"..a/b..c/...", hash('a'), 1, false, {}});
    BOOST_TEST((p.refused(write_file{"a", "not a hash", 1, false, {}}).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(file_cannot_be_a_folder_at_the_same_time) {
    auto p = made();
    p.accepted(write_file{"a/b", hash('a'), 1, false, {}});
    BOOST_TEST((p.refused(write_file{"a", hash('a'), 1, false, {}}).code == code::conflict));
    BOOST_TEST((p.refused(write_file{"a/b/c", hash('a'), 1, false, {}}).code == code::conflict));
    p.accepted(write_file{"a.b", hash('a'), 1, false, {}});
}

BOOST_AUTO_TEST_CASE(many_files_are_saved_with_a_result_for_each) {
    auto p = made();
    p.accepted(write_file{"old", hash('a'), 1, false, {}});
    p.accepted(write_file{"same", hash('a'), 1, false, {}});
    p.accepted(save({{"new", hash('b'), 2, false},
                     {"same", hash('a'), 1, false},
                     {"old", {}, 0, false},
                     {"never", {}, 0, false},
                     {"../out", hash('c'), 3, false},
                     {"bad", "xyz", 3, false}}));
    const auto r = answer_of(p);
    BOOST_TEST(r.saved == texts{"new"}, boost::test_tools::per_element());
    BOOST_TEST(r.deleted == texts{"old"}, boost::test_tools::per_element());
    BOOST_TEST(r.refused.size() == 2u);
    BOOST_TEST(r.refused.at(0).path == "../out");
    BOOST_TEST(r.refused.at(0).code == "path_outside_project");
    BOOST_TEST(r.version == p.version());
    BOOST_TEST(p.state().files.at("new").updated_by == "run/1");
}

BOOST_AUTO_TEST_CASE(what_the_folder_cannot_save_is_noted_as_refused) {
    auto p = made();
    auto c = save({{"a", hash('a'), 1, false}});
    c.unsaved.push_back({"large", "payload_too_large", "It is large."});
    BOOST_TEST(names_of(p.accepted(c)) == (texts{"file_saved", "file_refused"}), boost::test_tools::per_element());
    BOOST_TEST(answer_of(p).refused.at(0).path == "large");
    BOOST_TEST(p.document<project_document>().files == 1u);
}

BOOST_AUTO_TEST_CASE(path_that_an_older_node_let_in_can_be_deleted) {
    project_state old;
    old.id = id_of(1);
    old.files[".git/config"] = {hash('a'), 1, false, 1, {}, "key/tester"};
    const runtime::context context{{organization, "project", id_of(1)}, 2, {}, "key/tester", make_uuid};
    BOOST_TEST(!project_model::decide(old, write_file{".git/config", hash('b'), 1, false, {}}, context));
    BOOST_TEST(names_of(*project_model::decide(old, delete_file{".git/config", {}}, context)) == texts{"file_deleted"},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(saving_what_is_there_already_changes_nothing_and_answers_the_version) {
    auto p = made();
    const auto twice = save({{"a", hash('a'), 1, false}, {"b", {}, 0, false}});
    p.accepted(twice);
    BOOST_TEST(p.accepted(twice).empty());
    BOOST_TEST(answer_of(p).version == p.version());
    BOOST_TEST(answer_of(p).saved.empty());
}

BOOST_AUTO_TEST_CASE(change_that_the_run_has_not_seen_is_not_overwritten) {
    auto p = made();
    p.accepted(write_file{"a", hash('a'), 1, false, {}});
    const auto base = p.version();
    p.accepted(write_file{"a", hash('b'), 1, false, {}});
    p.accepted(save({{"a", hash('c'), 1, false}, {"b", hash('c'), 1, false}}, base));
    BOOST_TEST(answer_of(p).refused.at(0).code == "conflict");
    BOOST_TEST(answer_of(p).saved == texts{"b"}, boost::test_tools::per_element());
    BOOST_TEST(p.state().files.at("a").sha256 == hash('b'));
    // Its own later changes do not stand in its way, and neither does what it has seen.
    p.accepted(save({{"b", hash('d'), 1, false}}, base));
    p.accepted(save({{"a", hash('d'), 1, false}}, p.version()));
    BOOST_TEST(p.state().files.at("a").sha256 == hash('d'));
    BOOST_TEST(p.state().files.at("b").sha256 == hash('d'));
}

BOOST_AUTO_TEST_CASE(folder_may_take_the_place_of_a_file_and_back_in_one_save) {
    auto p = made();
    p.accepted(save({{"a", hash('a'), 1, false}}));
    p.accepted(save({{"a/b", hash('a'), 1, false}, {"a", {}, 0, false}}));
    BOOST_TEST(p.state().files.contains("a/b"));
    BOOST_TEST(!p.state().files.contains("a"));
    p.accepted(save({{"a", hash('a'), 1, false}, {"a/b", {}, 0, false}}));
    BOOST_TEST(p.state().files.contains("a"));
    p.accepted(save({{"c", hash('a'), 1, false}, {"c/d", hash('a'), 1, false}}));
    BOOST_TEST(answer_of(p).refused.at(0).path == "c/d");
}

BOOST_AUTO_TEST_CASE(manifest_has_a_limit_and_deletions_make_room) {
    project_state full;
    full.id = id_of(1);
    for (std::size_t i = 0; i < project_files_max; ++i) {
        full.files["f" + std::to_string(i)] = {hash('a'), 1, false, 1, {}, "run/1"};
    }
    const runtime::context context{{organization, "project", id_of(1)}, 2, {}, "key/tester", make_uuid};
    const auto decide = [&](const project_model::command& c) { return project_model::decide(full, c, context); };
    const auto refusal = decide(write_file{"one_more", hash('a'), 1, false, {}});
    BOOST_TEST_REQUIRE(!refusal);
    BOOST_TEST((refusal.error().code == code::conflict));
    BOOST_TEST(decide(write_file{"f1", hash('b'), 1, false, {}})->size() == 1u);
    const auto swapped =
        decide(save({{"new1", hash('a'), 1, false}, {"f1", {}, 0, false}, {"new2", hash('a'), 1, false}}));
    BOOST_TEST(names_of(*swapped) == (texts{"file_deleted", "file_saved", "file_refused"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(deleted_project_is_gone_for_good) {
    auto p = made();
    p.accepted(write_file{"a", hash('a'), 1, false, {}});
    p.accepted(delete_project{});
    BOOST_TEST(!p.view().exists);
    BOOST_TEST(p.accepted(delete_project{}).empty());
    BOOST_TEST((p.refused(write_file{"a", hash('a'), 1, false, {}}).code == code::not_found));
    BOOST_TEST((p.refused(save({{"a", hash('a'), 1, false}})).code == code::not_found));
    BOOST_TEST((p.refused(create_project{{"calculator", "", {}}}).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(what_was_never_created_is_not_there) {
    project p;
    BOOST_TEST((p.refused(update_project{{"x", {}}}).code == code::not_found));
    BOOST_TEST((p.refused(delete_project{}).code == code::not_found));
    BOOST_TEST((p.refused(delete_file{"a", {}}).code == code::not_found));
    BOOST_TEST(!p.view().exists);
}

BOOST_AUTO_TEST_CASE(files_take_what_they_grow_by_and_hold_their_bytes) {
    entity<project_model> p;
    std::int64_t left = 100;
    p.quota = [&](std::string_view what, std::int64_t amount, std::int64_t) -> expected<void> {
        BOOST_TEST(what == "storage_bytes");
        return amount <= left ? expected<void>() : problem{code::quota_exceeded, "full"};
    };
    create_project c;
    c.name = "p";
    p.accepted(c);
    const auto hash = [](char digit) { return std::string(64, digit); };
    p.accepted(write_file{"a", hash('a'), 80, {}, {}});
    BOOST_TEST((project_model::holds(p.state()) == std::vector{usage_amount{"storage_bytes", 80}}));
    left = 20;
    BOOST_TEST((p.refused(write_file{"b", hash('b'), 21, {}, {}}).code == code::quota_exceeded));
    p.accepted(write_file{"a", hash('c'), 100, {}, {}}); // 20 more than it had
    left = 0;
    // What the same command gives up is there for its files; what does not fit is refused by itself, and said.
    save_files moved;
    moved.by = "run/1";
    moved.changes = {{"a", {}, 0, false}, {"b", hash('d'), 90, false}, {"c", hash('e'), 11, false}};
    const auto events = p.accepted(moved);
    BOOST_TEST(names_of(events) == (texts{"file_deleted", "file_saved", "file_refused"}),
               boost::test_tools::per_element());
    BOOST_TEST(std::get<file_refused>(events.back()).code == "quota_exceeded");
    BOOST_TEST((project_model::holds(p.state()) == std::vector{usage_amount{"storage_bytes", 90}}));
    p.accepted(delete_project{});
    BOOST_TEST(project_model::holds(p.state()).empty());
}

BOOST_AUTO_TEST_SUITE_END()
