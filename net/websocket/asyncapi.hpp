#pragma once

#include "schemas/base/described.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The live channels as data, and their description. The protocol itself is schemas/live_protocol.md.
namespace troupe::net {

/// A kind of event.
struct live_message {
    std::string kind;
    std::function<std::string()> schema; ///< Of `data`, as JSON Schema.
    bool live_only = false;              ///< Not journaled: it has no cursor and does not come again.
};

/// A channel, or all channels of a form.
struct live_channel {
    std::string name;    ///< "runs": unique in the description.
    std::string address; ///< "runs/{id}"
    std::string doc;
    std::vector<live_message> messages; ///< None: events of every kind, told apart by `kind`.
    /// Events of many entities: `data` says which one, and holds the event.
    bool of_many = false;
};

/// One message for each event of a model: `std::variant` of described structs with their stored names.
template <class Events>
std::vector<live_message> messages_of() {
    std::vector<live_message> out;
    boost::mp11::mp_for_each<boost::mp11::mp_transform<boost::mp11::mp_identity, Events>>([&](auto event) {
        using T = typename decltype(event)::type;
        out.push_back({std::string(wire_name<T>::value), [] { return json_schema<T>(); }});
    });
    return out;
}

/// The AsyncAPI 3.0 document, as JSON.
std::string make_asyncapi(std::span<const live_channel> channels, std::string_view version);

} // namespace troupe::net
