#pragma once

#include "schemas/base/json.hpp"

#include <map>
#include <string>
#include <string_view>

/// Examples for the API's description, made from JSON Schemas as `json_schema<T>()` writes them.
namespace troupe::net {

/// What schemas say about members of a name: an example that is given once serves all members of that name and type.
class example_book {
public:
    /// Takes the examples that the schema's members give. The first of a name and type wins.
    void learn(std::string_view schema);

    /// A body as a client may send it: what is required, and what has an example.
    [[nodiscard]] std::string of_request(std::string_view schema) const;
    /// A document as the node may answer: all members.
    [[nodiscard]] std::string of_reply(std::string_view schema) const;

private:
    void learn(std::string_view name, const json::value& schema);
    [[nodiscard]] std::string make(std::string_view name, const json::value& schema, bool all, int depth) const;
    [[nodiscard]] std::string make_object(const json::value& schema, bool all, int depth) const;

    std::map<std::string, std::string, std::less<>> known_; ///< "type/name" to JSON.
};

} // namespace troupe::net
