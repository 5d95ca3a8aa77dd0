#include "bin/cli/commands.hpp"
#include "bin/cli/print.hpp"
#include "schemas/provider.hpp"

#include <boost/describe/enum_to_string.hpp>
#include <fmt/format.h>

#include <vector>

/// Models and their providers, as the node's configuration has them.
namespace troupe::cli {
namespace {

struct model_list_document {
    std::vector<model_document> items;
};
BOOST_DESCRIBE_STRUCT(model_list_document, (), (items))

struct provider_list_document {
    std::vector<provider_document> items;
};
BOOST_DESCRIBE_STRUCT(provider_list_document, (), (items))

std::string tokens(const std::optional<std::uint32_t>& count) { return count ? std::to_string(*count) : "?"; }

/// "3.00/15.00": of a million tokens.
std::string price(const model_document& m) {
    if (!m.input_micros || !m.output_micros) {
        return "?";
    }
    constexpr double unit = 1e6;
    return fmt::format("{:.2f}/{:.2f}", static_cast<double>(*m.input_micros) / unit,
                       static_cast<double>(*m.output_micros) / unit);
}

/// "open (The provider …)": with why, where it is not healthy.
cell health(const provider_health& h) {
    const std::string name = boost::describe::enum_to_string(h.status, "");
    switch (h.status) {
    case provider_status::healthy:
        return {name, tone::good};
    case provider_status::degraded:
        return {name + " (" + h.reason + ")", tone::warn};
    case provider_status::open:
        break;
    }
    return {name + " (" + h.reason + ")", tone::bad};
}

expected<int> model_list(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<model_list_document>(c, (*node)->get("/models"), [&](const auto& list) {
        std::vector<std::vector<cell>> rows;
        for (const auto& m : list.items) {
            rows.push_back({{m.name, tone::accent},
                            {m.is_default ? "yes" : ""},
                            {tokens(m.context_tokens)},
                            {price(m)},
                            {m.description, tone::faint}});
        }
        return table(c.out_screen(), {{"MODEL"}, {"DEFAULT"}, {"CONTEXT", true}, {"PRICE", true}, {"WHAT"}}, rows);
    });
}

expected<int> provider_list(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<provider_list_document>(c, (*node)->get("/providers"), [&](const auto& list) {
        if (list.items.empty()) {
            return std::string("There is no provider: runs use the rehearsal. See model.providers in the "
                               "configuration.\n");
        }
        std::vector<std::vector<cell>> rows;
        for (const auto& p : list.items) {
            rows.push_back({{p.name, tone::accent},
                            {boost::describe::enum_to_string(p.wire, "")},
                            {p.has_key ? "set" : "none"},
                            {p.model.value_or("")},
                            health(p.health),
                            {p.base_url, tone::faint}});
        }
        return table(c.out_screen(), {{"PROVIDER"}, {"WIRE"}, {"KEY"}, {"MODEL"}, {"HEALTH"}, {"URL"}}, rows);
    });
}

} // namespace

std::vector<command> model_commands() {
    return {{"model list",
             "The models that agents and runs can name, with what is known of them.",
             {},
             "troupe model list",
             model_list},
            {"provider list",
             "The providers of models, whether they have a key, and how they do.",
             {},
             "troupe provider list",
             provider_list}};
}

} // namespace troupe::cli
