#include "actors/project/project_workspaces.hpp"

#include "actors/project/project_model.hpp"
#include "schemas/base/limits.hpp"
#include "storage/blobs.hpp"
#include "storage/views.hpp"
#include "tests/actors/mini_node.hpp"
#include "tests/actors/unprivileged.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

namespace fs = std::filesystem;

struct context final : runtime::effect_context {
    context(mini_node& n, entity_address a) : node(n), address(std::move(a)) {}
    [[nodiscard]] const entity_address& self() const override { return address; }
    [[nodiscard]] std::stop_token stop() const override { return {}; }
    void publish(std::string_view, std::string_view, std::string) override {}
    runtime::reply ask(runtime::command c) override { return node.decide(c); }
    runtime::reply tell_self(runtime::self_command) override { return problem{code::unavailable, "Nobody is here."}; }

    mini_node& node;
    entity_address address;
};

/// A managed project, and a run that works in its folder.
struct stage {
    mini_node node;
    fs::path root = fs::temp_directory_path() / ("troupe-workspaces-" + to_string(make_uuid()));
    fs::path directory = root / "projects";
    entity_address project;
    std::optional<project_workspaces> folders;
    context ctx;

    stage() : ctx(node, {{}, "run", make_uuid()}) {
        node.host<project_model>();
        node.organization = node.services.store->who().default_organization;
        project = {node.organization, "project", make_uuid()};
        send(create_project{{"p", "", {}}});
        restart();
    }
    ~stage() { fs::remove_all(root); }
    stage(const stage&) = delete;

    template <class Command>
    void send(const Command& c) {
        BOOST_REQUIRE(node.decide(mini_node::command(project, std::string(wire_name<Command>::value), to_json(c))));
    }
    void restart() { folders.emplace(*node.services.store, directory); }
    fs::path prepare() {
        const auto prepared = folders->prepare(project, true, ctx);
        BOOST_REQUIRE_MESSAGE(prepared, prepared.error().detail);
        return prepared->path;
    }
    working_folders::saved save(const std::string& by = "run/1") {
        auto saved = folders->save(project, by, ctx);
        BOOST_REQUIRE_MESSAGE(saved, saved.error().detail);
        return std::move(*saved);
    }
    [[nodiscard]] std::string diff() const {
        const auto changes = folders->changes_by(project, "run/1");
        return diff_of(*node.services.store, node.organization, changes.value(), 1 << 20).value();
    }
    [[nodiscard]] bool has(const std::string& path) const {
        return storage::read_item(*node.services.store, project, actors::files_collection, path).value().has_value();
    }
};

void write(const fs::path& file, const std::string& content) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << content;
}

} // namespace

BOOST_AUTO_TEST_SUITE(project_workspaces_suite)

BOOST_AUTO_TEST_CASE(folder_that_a_run_cannot_read_any_more_loses_nothing) {
    stage s;
    const auto folder = s.prepare();
    write(folder / "src/a", "a");
    write(folder / "src/deep/b", "b");
    BOOST_TEST(s.save().changes.size() == 2u);
    {
        const unprivileged modes_hold;
        fs::permissions(folder / "src", fs::perms::none);
        const auto saved = s.save();
        fs::permissions(folder / "src", fs::perms::owner_all);
        BOOST_TEST(saved.changes.empty());
        BOOST_TEST(saved.refused.at(0).path == "src");
        BOOST_TEST(saved.refused.at(0).detail.find("the project keeps what it has of it") != std::string::npos);
    }
    BOOST_TEST(s.has("src/a"));
    BOOST_TEST(s.has("src/deep/b"));
    fs::remove_all(folder / "src");
    BOOST_TEST(s.save().changes.size() == 2u); // deleted indeed
    BOOST_TEST(!s.has("src/a"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_saved_is_told_once_to_each_run_that_changes_it) {
    stage s;
    const auto folder = s.prepare();
    write(folder / "large", "");
    fs::resize_file(folder / "large", limits::file_bytes_max + 1);
    const auto first = s.save("run/1");
    BOOST_TEST_REQUIRE(first.refused.size() == 1u);
    BOOST_TEST(first.refused[0].path == "large");
    BOOST_TEST(first.refused[0].code == "payload_too_large");
    BOOST_TEST(s.save("run/1").refused.empty());
    s.restart();
    s.prepare();
    BOOST_TEST(s.save("run/2").refused.empty()); // it did not make it
    fs::resize_file(folder / "large", limits::file_bytes_max + 2);
    BOOST_TEST(s.save("run/2").refused.size() == 1u);
    BOOST_TEST(s.diff().starts_with("\"large\" was not saved: "), s.diff());
    fs::resize_file(folder / "large", 1);
    BOOST_TEST(s.save("run/1").changes.size() == 1u);
    BOOST_TEST(s.diff().find("was not saved") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_another_run_changed_meanwhile_is_known) {
    stage s;
    const auto folder = s.prepare();
    const timestamp before{0};
    write(folder / "a", "one");
    s.save("run/1");
    const auto changed_by = [&](const std::string& path, const std::string& by, timestamp since) {
        return s.folders->changed_elsewhere(s.project, path, by, since).value();
    };
    BOOST_TEST(changed_by("./a", "run/2", before) == "run/1");
    BOOST_TEST(changed_by("a", "run/1", before).empty());
    BOOST_TEST(changed_by("a", "run/2", timestamp{9'000'000'000'000}).empty());
    BOOST_TEST(changed_by("b", "run/2", before).empty());
    write(folder / "a", "two");
    s.save("node/folder"); // not a run
    BOOST_TEST(changed_by("a", "run/2", before).empty());
}

BOOST_AUTO_TEST_CASE(many_paths_that_cannot_be_saved_are_counted) {
    stage s;
    const auto folder = s.prepare();
    for (int i = 0; i < 30; ++i) {
        write(folder / ("odd\xff-" + std::to_string(i)), "");
    }
    const auto saved = s.save();
    BOOST_TEST_REQUIRE(saved.refused.size() == 20u);
    BOOST_TEST(saved.refused.back().detail.find(" 10 more paths") != std::string::npos, saved.refused.back().detail);
}

BOOST_AUTO_TEST_CASE(diff_leaves_out_what_was_collected_and_says_so) {
    stage s;
    const auto folder = s.prepare();
    write(folder / "a", "first\n");
    write(folder / "b", "stays\n");
    s.save();
    write(folder / "a", "second\n");
    s.save();
    auto changes = s.folders->changes_by(s.project, "run/1").value();
    for (auto& change : changes) {
        if (change.path == "a") {
            change.after_sha256 = std::string(64, 'a'); // as after its collection
        }
    }
    const auto diff = diff_of(*s.node.services.store, s.node.organization, changes, 1 << 20);
    BOOST_REQUIRE(diff);
    BOOST_TEST(diff->find("diff of a left out: a content that nothing needed any more was collected") !=
                   std::string::npos,
               *diff);
    BOOST_TEST(diff->find("+stays") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(large_file_goes_into_the_folder_and_back) {
    stage s;
    const auto folder = s.prepare();
    std::string content(5 * storage::blob_piece_bytes + 7, 'x');
    content[3'000'000] = 'y';
    write(folder / "large", content);
    BOOST_TEST(s.save().changes.size() == 1u);
    s.restart();
    fs::remove_all(folder);
    const auto again = s.prepare();
    std::ifstream in(again / "large", std::ios::binary);
    BOOST_TEST((std::string(std::istreambuf_iterator<char>(in), {}) == content));
}

BOOST_AUTO_TEST_CASE(diff_of_made_changed_and_deleted_files_can_be_applied_by_git) {
    stage s;
    const auto folder = s.prepare();
    write(folder / "gone", "1\n2\n");
    write(folder / "kept", "1\n2\n");
    write(folder / "was empty", "");
    s.save("run/0");
    const auto copy = s.root / "copy";
    fs::copy(folder, copy, fs::copy_options::recursive);
    fs::remove(folder / "gone");
    fs::remove(folder / "was empty");
    write(folder / "kept", "1\n3\n");
    write(folder / "made/new", "new\n");
    write(folder / "empty", "");
    write(folder / "z\xff", "");
    s.save();
    const auto diff = s.diff();
    BOOST_TEST(diff.find("new file mode 100644\nindex 0000000..3e75765\n--- /dev/null\n+++ b/made/new\n") !=
                   std::string::npos,
               diff);
    BOOST_TEST(diff.find("--- a/gone\n+++ /dev/null\n") != std::string::npos, diff);
    BOOST_TEST(diff.find("was not saved") != std::string::npos, diff);
    if (std::system("git --version >/dev/null 2>&1") != 0) {
        return; // no git on this machine: the text has to do
    }
    write(s.root / "diff", diff);
    const auto git = "cd '" + copy.string() + "' && git init -q . && git apply ../diff && rm -rf .git";
    BOOST_TEST(std::system(git.c_str()) == 0, diff);
    fs::remove(folder / "z\xff");
    const auto same = "diff -r '" + copy.string() + "' '" + folder.string() + "'";
    BOOST_TEST(std::system(same.c_str()) == 0);
}

BOOST_AUTO_TEST_CASE(caches_of_a_project_that_was_deleted_under_a_run_are_removed) {
    stage s;
    const auto folder = s.prepare();
    write(folder / "closed/a", "a");
    s.save();
    s.send(delete_project{});
    const unprivileged modes_hold;
    fs::permissions(folder / "closed", fs::perms::none);
    BOOST_TEST((s.folders->save(s.project, "run/1", s.ctx).error().code == code::not_found));
    BOOST_TEST(fs::is_empty(s.directory));
}

BOOST_AUTO_TEST_CASE(caches_of_deleted_projects_are_removed_at_the_start_and_no_others) {
    stage s;
    write(s.prepare() / "a", "a");
    s.save();
    const auto other = s.directory / to_string(make_uuid()); // of nobody that this node knows
    write(other / "a", "a");
    s.restart();
    BOOST_TEST(fs::exists(s.directory / to_string(s.project.id) / "a"));
    s.send(delete_project{});
    s.restart();
    BOOST_TEST(std::distance(fs::directory_iterator(s.directory), {}) == 1);
    BOOST_TEST(fs::exists(other / "a"));
}

BOOST_AUTO_TEST_SUITE_END()
