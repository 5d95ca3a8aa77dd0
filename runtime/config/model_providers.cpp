#include "runtime/config/model_providers.hpp"

#include "runtime/config/checks.hpp"
#include "runtime/config/object_list.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::runtime {

namespace {

// As they are written. A file has numbers as text, the environment has them as JSON has them.

struct written_model {
    std::string name;
    json::raw context_tokens;
    json::raw output_tokens;
    json::raw input_price;
    json::raw output_price;
    std::vector<model_capability> capabilities;
    static constexpr field_rule rules[] = {{.name = "name", .required = true, .min = 1, .max = 200},
                                           {.name = "capabilities", .max = 8}};
};
BOOST_DESCRIBE_STRUCT(written_model, (), (name, context_tokens, output_tokens, input_price, output_price, capabilities))

struct written_provider {
    std::string name;
    model_wire wire = model_wire::openai;
    std::string base_url;
    std::string api_key;
    std::string model;
    std::string ca_file;
    std::vector<written_model> models;
    json::raw calls_max;
    runtime::equal_requests equal_requests = runtime::equal_requests::each;
    json::raw cache_s;
    static constexpr field_rule rules[] = {{.name = "name", .required = true, .min = 1, .max = 32},
                                           {.name = "wire", .required = true},
                                           {.name = "base_url", .max = 512},
                                           {.name = "api_key", .max = 512},
                                           {.name = "model", .max = 200},
                                           {.name = "ca_file", .max = 4096},
                                           {.name = "models", .max = 200}};
};
BOOST_DESCRIBE_STRUCT(written_provider, (),
                      (name, wire, base_url, api_key, model, ca_file, models, calls_max, equal_requests, cache_s))

struct written_list {
    std::vector<written_provider> items;
    static constexpr field_rule rules[] = {{.name = "items", .max = 32}};
};
BOOST_DESCRIBE_STRUCT(written_list, (), (items))

std::string text_of(const json::raw& number) {
    const auto parsed = json::document::parse(number.text);
    const auto text = parsed ? parsed->root().as_string() : std::nullopt;
    return text ? std::string(*text) : number.text;
}

std::optional<std::uint32_t> read_given(const json::raw& written, std::string_view what, const std::string& at,
                                        std::vector<field_error>& wrong) {
    const auto out = read_count(written);
    if (!out && !written.is_null()) {
        wrong.push_back({at, fmt::format("has to be a number of {}, from 1", what)});
    }
    return out;
}

std::optional<token_price> read_price(const written_model& m, const std::string& at, std::vector<field_error>& wrong) {
    if (m.input_price.is_null() && m.output_price.is_null()) {
        return {};
    }
    const auto input = parse_micros(text_of(m.input_price));
    const auto output = parse_micros(text_of(m.output_price));
    if (!input || !output) {
        wrong.push_back({at + (input ? "/output_price" : "/input_price"),
                         "has to be what a million tokens cost, as in 0.40; input and output belong together"});
        return {};
    }
    return token_price{*input, *output};
}

provider_model read_model(const written_model& m, const std::string& at, std::vector<field_error>& wrong) {
    return {m.name, read_given(m.context_tokens, "tokens", at + "/context_tokens", wrong),
            read_given(m.output_tokens, "tokens", at + "/output_tokens", wrong), read_price(m, at, wrong),
            m.capabilities};
}

void check(const written_provider& p, const std::string& at, std::vector<field_error>& wrong) {
    if (!is_plain_name(p.name) || p.name == "rehearsal" || p.name == "route") {
        wrong.push_back({at + "/name", "may have a-z, 0-9, - and _ only, and not be rehearsal or route"});
    }
    if (!p.api_key.empty() && !is_reference(p.api_key)) { // never repeated
        wrong.push_back({at + "/api_key", "has to be a reference: secret:NAME, env:NAME or file:PATH"});
    }
    if (!p.base_url.empty() && p.base_url.find('@') != p.base_url.npos) { // it may hold a password
        wrong.push_back({at + "/base_url", "holds a user name; use api_key instead"});
    } else if (const auto bad = p.base_url.empty() ? std::nullopt : check_url(p.base_url)) {
        wrong.push_back({at + "/base_url", *bad});
    }
    if (const auto bad = p.ca_file.empty() ? std::nullopt : check_file(p.ca_file)) {
        wrong.push_back({at + "/ca_file", *bad});
    }
}

model_provider read_provider(written_provider p, const std::string& at, std::vector<field_error>& wrong) {
    check(p, at, wrong);
    std::vector<field_error> names;
    check_names(p.models, names);
    for (auto& e : names) {
        wrong.push_back({at + "/models" + e.pointer, std::move(e.message)});
    }
    model_provider out{std::move(p.name),    p.wire, std::move(p.base_url), std::move(p.api_key), std::move(p.model),
                       std::move(p.ca_file), {}};
    for (std::size_t i = 0; i < p.models.size(); ++i) {
        out.models.push_back(read_model(p.models[i], fmt::format("{}/models/{}", at, i), wrong));
    }
    out.calls_max = read_given(p.calls_max, "calls", at + "/calls_max", wrong).value_or(model_provider::calls_default);
    out.equal_requests = p.equal_requests;
    out.cache_s = read_given(p.cache_s, "seconds", at + "/cache_s", wrong).value_or(model_provider::cache_s_default);
    return out;
}

} // namespace

expected<std::vector<model_provider>> parse_model_providers(std::string_view text) {
    auto read = read_object_list<written_list>(text);
    if (!read) {
        return read.error();
    }
    std::vector<model_provider> out;
    std::vector<field_error> wrong;
    check_names(read->items, wrong);
    for (std::size_t i = 0; i < read->items.size(); ++i) {
        out.push_back(read_provider(std::move(read->items[i]), fmt::format("/{}", i), wrong));
    }
    if (!wrong.empty()) {
        return list_problem(std::move(wrong));
    }
    return out;
}

std::vector<field_error> check_model_provider_list(std::string_view text) {
    auto providers = parse_model_providers(text);
    return providers ? std::vector<field_error>() : std::move(providers.error().errors);
}

std::optional<std::string> check_model_providers(std::string_view text) {
    const auto wrong = check_model_provider_list(text);
    return wrong.empty() ? std::nullopt : std::optional(wrong.front().pointer + ": " + wrong.front().message);
}

} // namespace troupe::runtime
