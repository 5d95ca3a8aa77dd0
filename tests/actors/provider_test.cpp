#include "actors/provider/provider.hpp"
#include "tests/actors/registry_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <unistd.h>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
namespace fs = std::filesystem;

namespace {

/// A folder with `scripts/good.yaml`, `scripts/bad.yaml`, a link out of it, and `outside.yaml` beside it.
struct script_folder {
    script_folder() {
        static int next = 0;
        root = fs::temp_directory_path() / fmt::format("troupe-provider-{}-{}", ::getpid(), next++);
        fs::create_directories(root / "scripts");
        const auto write = [](const fs::path& file, std::string_view text) { std::ofstream(file) << text; };
        write(root / "scripts/good.yaml", "{name: good, rules: [{say: x}]}");
        write(root / "scripts/bad.yaml", "{name: bad}");
        write(root / "outside.yaml", "{name: outside, rules: [{say: x}]}");
        fs::create_symlink(root / "outside.yaml", root / "scripts/link.yaml");
        settings.scripts = root / "scripts";
    }
    script_folder(const script_folder&) = delete;
    script_folder& operator=(const script_folder&) = delete;
    ~script_folder() { fs::remove_all(root); }

    fs::path root;
    provider_settings settings;
};

} // namespace

BOOST_AUTO_TEST_SUITE(providers)

BOOST_AUTO_TEST_CASE(without_a_key_the_rehearsal_is_the_default) {
    const auto models = registry({});
    BOOST_TEST(described(models, "") == "rehearsal script default (scripted, no language model)");
    BOOST_TEST(described(models, "rehearsal") == described(models, ""));
    BOOST_TEST(models.model_name("") == "rehearsal");
    BOOST_TEST(described(models, "openai").starts_with("model_unknown: "));
    BOOST_TEST(described(models, "openai").find("OPENAI_API_KEY") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(with_a_key_or_a_base_url_openai_is_the_default) {
    provider_settings settings;
    settings.openai_api_key = "sk-secret";
    BOOST_TEST(described(registry(settings), "") == "openai wire at https://api.openai.com/v1");
    BOOST_TEST(registry(settings).model_name("") == openai_model_default);
    settings = {};
    settings.openai_base_url = "http://127.0.0.1:11434/v1";
    settings.openai_model = "qwen3";
    const auto models = registry(settings);
    BOOST_TEST(described(models, "") == "openai wire at http://127.0.0.1:11434/v1");
    BOOST_TEST(models.model_name("") == "qwen3");
    BOOST_TEST(models.model_name("openai/other/model") == "other/model");
    BOOST_TEST(described(models, "openai/other/model") == described(models, ""));
    BOOST_TEST(described(models, "rehearsal").starts_with("rehearsal"));
}

BOOST_AUTO_TEST_CASE(configured_default_wins_and_has_to_be_there) {
    script_folder folder;
    folder.settings.openai_api_key = "sk-secret";
    folder.settings.default_model = "rehearsal:good";
    BOOST_TEST(described(registry(folder.settings), "") == "rehearsal script good (scripted, no language model)");
    for (const char* name : {"rehearsal:nobody", "rehearsal:bad", "gpt"}) {
        folder.settings.default_model = name;
        const auto made = model_registry::make(folder.settings);
        BOOST_REQUIRE(!made);
        BOOST_CHECK(made.error().code == code::config_invalid);
    }
}

BOOST_AUTO_TEST_CASE(scripts_are_found_by_name_and_read_each_time) {
    script_folder folder;
    const auto models = registry(folder.settings);
    BOOST_TEST(described(models, "rehearsal:good") == "rehearsal script good (scripted, no language model)");
    BOOST_TEST(described(models, "rehearsal:good.yaml") == described(models, "rehearsal:good"));
    BOOST_TEST(described(models, "rehearsal:bad").starts_with("script_invalid: "));
    std::ofstream(folder.root / "scripts/good.yaml") << "{name: better, rules: [{say: x}]}";
    BOOST_TEST(described(models, "rehearsal:good") == "rehearsal script better (scripted, no language model)");
}

BOOST_AUTO_TEST_CASE(names_do_not_leave_the_folder) {
    script_folder folder;
    const std::string outside = (folder.root / "outside.yaml").string();
    const auto models = registry(folder.settings);
    for (const std::string& name : {std::string("../outside"), std::string("../scripts/../outside.yaml"),
                                    std::string("link"), outside, std::string("."), std::string()})
        BOOST_TEST(described(models, "rehearsal:" + name).starts_with("model_unknown: "));
    BOOST_TEST(described(registry({}), "rehearsal:good").starts_with("model_unknown: "));

    folder.settings.scripts_anywhere = true;
    const auto anywhere = registry(folder.settings);
    BOOST_TEST(described(anywhere, "rehearsal:" + outside).starts_with("rehearsal script outside"));
    BOOST_TEST(described(anywhere, "rehearsal:/no/such/file").starts_with("model_unknown: "));
    BOOST_TEST(described(anywhere, "rehearsal:../outside").starts_with("model_unknown: "));
}

BOOST_AUTO_TEST_CASE(unknown_names_are_answered_with_what_there_is) {
    script_folder folder;
    folder.settings.openai_api_key = "sk-secret";
    const auto models = registry(folder.settings);
    const std::string answer = described(models, "gpt-9");
    BOOST_TEST(answer.starts_with("model_unknown: "));
    for (const char* name : {"openai", "openai/MODEL", "rehearsal", "rehearsal:good"})
        BOOST_TEST(answer.find(name) != std::string::npos);
    std::string listed;
    for (const auto& one : models.list()) {
        listed += one.name + (one.is_default ? "* " : " ");
        BOOST_TEST(one.description.find("sk-secret") == std::string::npos);
    }
    BOOST_TEST(listed == "openai* openai/MODEL rehearsal rehearsal:bad rehearsal:good ");
}

BOOST_AUTO_TEST_CASE(settings_come_before_the_environment) {
    ::setenv("OPENAI_MODEL", "from-environment", 1);
    provider_settings settings;
    BOOST_TEST(with_environment(settings).openai_model == "from-environment");
    settings.openai_model = "configured";
    BOOST_TEST(with_environment(settings).openai_model == "configured");
    ::unsetenv("OPENAI_MODEL");
}

BOOST_AUTO_TEST_SUITE_END()
