// Providers of every wire by name, and where their keys come from.
#include "actors/provider/provider.hpp"
#include "actors/provider/provider_key.hpp"
#include "tests/actors/registry_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

runtime::model_provider provider(std::string name, model_wire wire, std::string model = {}) {
    runtime::model_provider out;
    out.name = std::move(name);
    out.wire = wire;
    out.model = std::move(model);
    return out;
}

/// Variables for one test; those of the process that runs it are out of the way.
struct environment {
    explicit environment(std::initializer_list<std::pair<const char*, const char*>> set) {
        for (const char* name : names)
            ::unsetenv(name);
        for (const auto& [name, value] : set)
            ::setenv(name, value, 1);
    }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;
    ~environment() {
        for (const char* name : names)
            ::unsetenv(name);
    }
    static constexpr const char* names[] = {"ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "DEEPSEEK_API_KEY",
                                            "OLLAMA_HOST"};
};

std::string ollama_at(const char* host) {
    const environment here{{"OLLAMA_HOST", host}};
    const auto made = with_environment({});
    return made.providers.empty() ? "" : made.providers.front().base_url;
}

} // namespace

BOOST_AUTO_TEST_SUITE(providers_of_every_wire)

BOOST_AUTO_TEST_CASE(a_provider_is_found_by_its_name_and_its_models_by_both) {
    provider_settings settings;
    settings.providers = {provider("claude", model_wire::anthropic), provider("local", model_wire::ollama)};
    settings.providers[0].models = {
        {.name = "small", .context_tokens = 1000, .output_tokens = {}, .price = {}, .capabilities = {}}};
    const auto models = registry(settings);
    BOOST_TEST(described(models, "claude/any") == "anthropic wire at https://api.anthropic.com");
    BOOST_TEST(models.model_name("claude") == "small"); // the first that is described
    BOOST_TEST(models.model_name("claude/a/b") == "a/b");
    BOOST_TEST(models.full_name("claude") == "claude/small");
    BOOST_TEST(models.full_name("rehearsal") == "rehearsal");
    BOOST_TEST(models.facts("claude")->context_tokens.value() == 1000u);
    BOOST_TEST((models.facts("claude/other") == nullptr));
    BOOST_TEST((models.provider_of("rehearsal:x") == nullptr));
    BOOST_TEST(described(models, "local/qwen3") == "ollama wire at http://127.0.0.1:11434");
    BOOST_TEST(described(models, "local").starts_with("model_unknown: ")); // nobody said which
    BOOST_TEST(described(models, "claudette").starts_with("model_unknown: "));
}

BOOST_AUTO_TEST_CASE(default_is_openai_then_the_first_that_has_a_model) {
    provider_settings settings;
    settings.providers = {provider("local", model_wire::ollama), provider("deep", model_wire::deepseek)};
    BOOST_TEST(registry(settings).full_name("") == "deep/deepseek-chat");
    settings.openai_api_key = "sk-secret";
    BOOST_TEST(registry(settings).full_name("") == "openai/gpt-4.1-mini");
    settings.default_model = "local/qwen3";
    const auto models = registry(settings);
    BOOST_TEST(models.full_name("") == "local/qwen3");
    const auto all = models.list();
    const auto standard = std::find_if(all.begin(), all.end(), [](const auto& m) { return m.is_default; });
    BOOST_REQUIRE((standard != all.end())); // though nothing described it
    BOOST_TEST(standard->name == "local/qwen3");
    settings.default_model.clear();
    settings.openai_api_key.clear();
    settings.providers = {provider("local", model_wire::ollama)};
    BOOST_TEST(registry(settings).full_name("") == "rehearsal");
}

BOOST_AUTO_TEST_CASE(a_listed_openai_stands_in_the_place_of_the_other) {
    provider_settings settings;
    settings.openai_api_key = "sk-secret";
    settings.providers = {provider("openai", model_wire::openai_responses, "gpt-5")};
    const auto models = registry(settings);
    BOOST_TEST(models.providers().size() == 1u);
    BOOST_TEST(models.full_name("") == "openai/gpt-5");
    BOOST_TEST(described(models, "openai") == "openai_responses wire at https://api.openai.com/v1");
}

BOOST_AUTO_TEST_CASE(variables_of_other_tools_make_providers_that_nobody_configured) {
    const environment here{
        {"ANTHROPIC_API_KEY", "sk-ant"}, {"DEEPSEEK_API_KEY", "sk-deep"}, {"OLLAMA_HOST", "gpu:1234"}};
    provider_settings settings;
    settings.providers = {provider("deepseek", model_wire::openai, "mine")};
    const auto made = with_environment(settings);
    std::string seen;
    for (const auto& p : made.providers)
        seen += p.name + "=" + p.base_url + "=" + p.api_key + " ";
    BOOST_TEST(seen == "deepseek== anthropic==env:ANTHROPIC_API_KEY ollama=http://gpu:1234= ");
    const environment none{};
    BOOST_TEST(with_environment({}).providers.empty());
}

BOOST_AUTO_TEST_CASE(ollama_is_found_as_its_own_tools_find_it) {
    BOOST_TEST(ollama_at("127.0.0.1") == "http://127.0.0.1:11434");
    BOOST_TEST(ollama_at("0.0.0.0:5000") == "http://127.0.0.1:5000");
    BOOST_TEST(ollama_at(":5000") == "http://127.0.0.1:5000");
    BOOST_TEST(ollama_at("https://gpu.example/ollama") == "https://gpu.example:11434/ollama");
    BOOST_TEST(ollama_at("[::1]:5000") == "http://[::1]:5000");
    BOOST_TEST(ollama_at("") == "");
}

BOOST_AUTO_TEST_CASE(keys_are_found_at_each_call_and_what_is_missing_is_said) {
    const troupe::test::temporary_directory folder;
    const auto file = folder.path / "key";
    const auto key = [&](const std::string& reference) {
        auto found = key_finder("p", reference, [](std::string_view name) -> expected<std::string> {
            return name == "GOOD" ? expected<std::string>("from-secrets") : problem{code::not_found, "no such secret"};
        })();
        return found ? *found : std::string(explain(found.error().code).name) + ": " + found.error().detail;
    };
    BOOST_TEST(key("secret:GOOD") == "from-secrets");
    BOOST_TEST(key("secret:BAD").starts_with("model_refused: "));
    BOOST_TEST(key("file:" + file.string()).starts_with("model_refused: "));
    std::ofstream(file) << "from-file\n";
    BOOST_TEST(key("file:" + file.string()) == "from-file");
    const environment here{{"DEEPSEEK_API_KEY", "from-environment"}};
    BOOST_TEST(key("env:DEEPSEEK_API_KEY") == "from-environment");
    BOOST_TEST(key("env:ANTHROPIC_API_KEY").find("ANTHROPIC_API_KEY") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(own_models_do_not_take_names_of_providers) {
    provider_settings settings;
    settings.providers = {provider("claude", model_wire::anthropic)};
    auto own = registry({}).find("rehearsal");
    BOOST_REQUIRE(own);
    for (const char* name : {"claude", "claude/x"}) {
        settings.own = {{name, *own}};
        BOOST_TEST(!model_registry::make(settings));
    }
    settings.own = {{"claudette", *own}};
    BOOST_TEST(described(registry(settings), "claudette") == (*own)->describe());
}

BOOST_AUTO_TEST_SUITE_END()
