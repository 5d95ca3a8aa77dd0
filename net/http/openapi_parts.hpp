#pragma once

#include "net/http/route.hpp"
#include "net/http/schema_example.hpp"
#include "schemas/base/json.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// Private to the API's description.
namespace troupe::net {

template <class Fill>
std::string json_object(Fill fill) {
    std::string out;
    json::object_writer writer(out);
    fill(writer);
    writer.end();
    return out;
}

std::string json_list(const std::vector<std::string>& items);

/// {"$ref":"#/components/SECTION/NAME"}
std::string component(std::string_view section, std::string_view name);

/// Operations, and what of `components` they refer to.
class operation_writer {
public:
    explicit operation_writer(const example_book& book) : book_(book) {}

    /// The operation object of a route.
    std::string write(const route& r);

    /// Responses with problems, by name; the codes that they show.
    std::map<std::string, std::string> responses;
    std::set<code> codes;

private:
    std::string parameters(const route& r) const;
    std::string parameter(const query_parameter& p, std::string_view in, bool required) const;
    std::string request_body(const body_type& b) const;
    std::string all_responses(const route& r);
    std::string success(const route& r) const;
    std::string media(const body_type& b, bool reply) const;
    /// The name of the response with these problems.
    std::string refusal(int status, const std::vector<code>& why);

    const example_book& book_;
};

/// Whether the route's answers have that header.
bool gives(const route& r, std::string_view header);

/// Whether it changes the version that `If-Match` names.
bool takes_if_match(const route& r);
bool takes_idempotency_key(const route& r);

/// Codes that the route may answer with.
std::set<code> problems_of(const route& r);

/// What stands in braces in a path.
std::vector<std::string> parameter_names(std::string_view path);

} // namespace troupe::net
