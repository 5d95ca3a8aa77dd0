#include "schemas/base/json_schema.hpp"

// Without it valijson ends the process where something is wrong.
#define VALIJSON_USE_EXCEPTIONS 1

#include <boost/json/src.hpp> // the library without a package of its own
#include <fmt/format.h>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <exception>
#include <string>

/// The only file that includes valijson, which takes long to compile.
namespace troupe {

namespace {

constexpr std::size_t errors_max = 20;

using adapter = valijson::adapters::BoostJsonAdapter;

/// "<root>[a][0]" → "/a/0"
std::string pointer_of(const std::vector<std::string>& context) {
    std::string out;
    for (const auto& part : context) {
        if (part.size() > 2 && part.front() == '[') {
            out += "/" + part.substr(1, part.size() - 2);
        }
    }
    return out;
}

} // namespace

struct json_schema_check::impl {
    valijson::Schema schema;
};

expected<json_schema_check> json_schema_check::parse(std::string_view schema) {
    const auto refused = [](std::string why) { return problem{code::invalid_request, std::move(why)}; };
    try {
        boost::system::error_code bad;
        const auto read = boost::json::parse({schema.data(), schema.size()}, bad);
        if (bad || !read.is_object()) {
            return refused("is no JSON object");
        }
        auto made = std::make_shared<impl>();
        valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(adapter(read), made->schema);
        json_schema_check out;
        out.impl_ = std::move(made);
        return out;
    } catch (const std::exception& e) { // so says valijson what is wrong
        return refused(fmt::format("is no JSON Schema: {}", e.what()));
    }
}

expected<void> json_schema_check::check(std::string_view document) const {
    problem wrong{code::invalid_request, "the document does not fit its schema"};
    try {
        boost::system::error_code bad;
        const auto read = boost::json::parse({document.data(), document.size()}, bad);
        if (bad) {
            wrong.errors.push_back({"/", "is no JSON"});
            return wrong;
        }
        valijson::ValidationResults results;
        if (valijson::Validator().validate(impl_->schema, adapter(read), &results)) {
            return {};
        }
        valijson::ValidationResults::Error error;
        while (wrong.errors.size() < errors_max && results.popError(error)) {
            const auto at = pointer_of(error.context);
            wrong.errors.push_back({at.empty() ? "/" : at, error.description});
        }
    } catch (const std::exception& e) {
        wrong.errors.push_back({"/", e.what()});
    }
    return wrong;
}

} // namespace troupe
