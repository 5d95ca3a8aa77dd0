#include "runtime/config/config.hpp"
#include "runtime/config/model_providers.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <string>

using namespace troupe;
using namespace troupe::runtime;

namespace {

const std::string good = R"("name":"claude","wire":"anthropic","api_key":"secret:CLAUDE")";

/// Of one provider with these members beside the good ones: the first thing that is wrong, or nothing.
std::string mistake(const std::string& more, const std::string& base = good) {
    const auto parsed = parse_model_providers("[{" + base + (more.empty() ? "" : ",") + more + "}]");
    return parsed ? "" : parsed.error().errors.front().pointer + " " + parsed.error().errors.front().message;
}

std::string mistake_in_model(const std::string& more) { return mistake(R"("models":[{"name":"m",)" + more + "}]"); }

} // namespace

BOOST_AUTO_TEST_SUITE(model_providers_config)

BOOST_AUTO_TEST_CASE(an_empty_text_is_no_provider_and_a_short_one_has_defaults) {
    BOOST_TEST(parse_model_providers("")->empty());
    BOOST_TEST(parse_model_providers(" [] ")->empty());
    const auto parsed = parse_model_providers("[{" + good + "}]");
    BOOST_REQUIRE(parsed.has_value());
    const auto& p = parsed->front();
    BOOST_CHECK(p.wire == model_wire::anthropic);
    BOOST_TEST(p.base_url.empty());
    BOOST_TEST(p.models.empty());
    BOOST_CHECK(p.equal_requests == equal_requests::each);
    BOOST_TEST(p.cache_s == 3600u);
    const auto shared = parse_model_providers("[{" + good + R"(,"equal_requests":"cache","cache_s":"60"}])");
    BOOST_CHECK(shared->front().equal_requests == equal_requests::cache);
    BOOST_TEST(shared->front().cache_s == 60u);
}

BOOST_AUTO_TEST_CASE(numbers_are_read_as_a_file_and_as_json_has_them) {
    for (const char* numbers :
         {R"("context_tokens":200000,"output_tokens":64000,"input_price":3,"output_price":15.5)",
          R"("context_tokens":"200000","output_tokens":"64000","input_price":"3.00","output_price":"15.5")"}) {
        const auto parsed = parse_model_providers("[{" + good + R"(,"models":[{"name":"m",)" + numbers +
                                                  R"(,"capabilities":["tools","reasoning"]}]}])");
        BOOST_REQUIRE(parsed.has_value());
        const auto& m = parsed->front().models.front();
        BOOST_TEST(m.context_tokens.value() == 200000u);
        BOOST_TEST(m.output_tokens.value() == 64000u);
        BOOST_CHECK((m.price == token_price{3'000'000, 15'500'000}));
        BOOST_CHECK((m.capabilities == std::vector{model_capability::tools, model_capability::reasoning}));
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_work_is_refused_with_its_place) {
    BOOST_TEST(mistake("") == "");
    BOOST_TEST(mistake(R"("colour":"red")") == "/0/colour unknown field");
    BOOST_TEST(mistake("", R"("name":"a")").starts_with("/0/wire"));
    BOOST_TEST(mistake("", R"("name":"a","wire":"telegraph")").starts_with("/0/wire"));
    BOOST_TEST(mistake("", R"("name":"A/B","wire":"openai")").starts_with("/0/name"));
    BOOST_TEST(mistake("", R"("name":"rehearsal","wire":"openai")").starts_with("/0/name"));
    BOOST_TEST(mistake(R"("base_url":"example.org")").starts_with("/0/base_url"));
    BOOST_TEST(mistake(R"("equal_requests":"some")").starts_with("/0/equal_requests"));
    BOOST_TEST(mistake(R"("cache_s":0)").starts_with("/0/cache_s"));
    BOOST_TEST(mistake(R"("ca_file":"/no/such/file")").starts_with("/0/ca_file"));
    BOOST_TEST(mistake_in_model(R"("context_tokens":0)").starts_with("/0/models/0/context_tokens"));
    BOOST_TEST(mistake_in_model(R"("output_tokens":"many")").starts_with("/0/models/0/output_tokens"));
    BOOST_TEST(mistake_in_model(R"("input_price":1)").starts_with("/0/models/0/output_price"));
    BOOST_TEST(mistake_in_model(R"("input_price":-1,"output_price":1)").starts_with("/0/models/0/input_price"));
    BOOST_TEST(mistake_in_model(R"("capabilities":["flying"])").starts_with("/0/models/0/capabilities/0"));
    BOOST_TEST(mistake(R"("models":[{"name":"m"},{"name":"m"}])").starts_with("/0/models/1/name"));
    const auto twice = parse_model_providers("[{" + good + "},{" + good + "}]");
    BOOST_REQUIRE(!twice.has_value());
    BOOST_TEST(twice.error().errors.front().pointer == "/1/name");
    for (const char* text : {"{}", "[]},{", "nonsense", "[1]"}) {
        BOOST_TEST(!parse_model_providers(text).has_value());
    }
}

BOOST_AUTO_TEST_CASE(keys_are_references_and_nothing_repeats_them) {
    for (const char* more :
         {R"("api_key":"sk-very-secret")", R"("base_url":"https://me:sk-very-secret@example.org")"}) {
        const auto said = mistake(more, R"("name":"a","wire":"openai")");
        BOOST_TEST(said != "");
        BOOST_TEST(said.find("sk-very-secret") == std::string::npos, said);
    }
}

BOOST_AUTO_TEST_CASE(a_file_has_them_as_a_list) {
    const test::temporary_directory folder;
    const auto file = folder.path / "troupe.yaml";
    std::ofstream(file)
        << "model:\n  providers:\n    - name: claude\n      wire: anthropic\n      api_key: env:CLAUDE\n"
           "      models:\n        - name: m\n          context_tokens: 200000\n          input_price: 3.00\n"
           "          output_price: 15.00\n          capabilities: [tools, images]\n";
    const auto loaded = load_config({.file = file, .environment = {}, .flags = {}});
    BOOST_REQUIRE(loaded.has_value());
    const auto parsed = parse_model_providers(loaded->values.model_providers);
    BOOST_REQUIRE(parsed.has_value());
    BOOST_CHECK((parsed->front().models.front().price == token_price{3'000'000, 15'000'000}));
    BOOST_TEST(parsed->front().models.front().capabilities.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
