#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/versions.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

/// Golden files: a sample of every form that Troupe ever stored, under tests/golden. They are made by tests/golden/make
/// when they are missing, never changed, and read by every later version.
namespace troupe::test::golden {

/// Whether missing files are made in this run (tests/golden/make).
bool making();

/// The text of a golden file. A missing one is made of `fresh` when files are made; else it fails the test, and there
/// is nothing. `what` names its subject.
std::optional<std::string> file(const std::string& name, const std::string& what,
                                const std::function<std::string()>& fresh);

/// Fails for golden files in a folder of tests/golden that no test asked for in this process: what they hold was stored
/// once, and is read no more. `known` says which of them are read otherwise (type, version, stored).
void check_orphans(
    const std::string& folder,
    const std::function<bool(std::string_view type, int version, const std::string& stored)>& known = nullptr);

/// A member of a golden file, minified; empty when it has none.
std::string member(const std::string& text, std::string_view name);

namespace detail {

inline int counter = 0; ///< Samples of a type are the same in every run: `sample` begins again.

template <class T>
void append_shape(std::string& out);

template <class T>
void append_wrapped(std::string& out, const char* name) {
    out += std::string("{\"") + name + "\":";
    append_shape<T>(out);
    out += '}';
}

template <class T>
void append_shape(std::string& out) {
    using namespace troupe::detail;
    if constexpr (std::is_same_v<T, bool>) {
        out += "\"boolean\"";
    } else if constexpr (described_enum<T>) {
        out += '[';
        bool first = true;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto d) {
            out += (first ? "\"" : ",\"") + std::string(d.name) + "\"";
            first = false;
        });
        out += ']';
    } else if constexpr (std::is_integral_v<T>) {
        out += "\"integer\"";
    } else if constexpr (std::is_floating_point_v<T>) {
        out += "\"number\"";
    } else if constexpr (std::is_same_v<T, std::string>) {
        out += "\"text\"";
    } else if constexpr (std::is_same_v<T, json::raw>) {
        out += "\"json\"";
    } else if constexpr (std::is_same_v<T, uuid>) {
        out += "\"uuid\"";
    } else if constexpr (std::is_same_v<T, timestamp>) {
        out += "\"time\"";
    } else if constexpr (is_optional<T>::value) {
        append_wrapped<typename T::value_type>(out, "optional");
    } else if constexpr (is_vector<T>::value || is_set<T>::value) {
        append_wrapped<typename T::value_type>(out, "list");
    } else if constexpr (is_map<T>::value) {
        append_wrapped<typename T::mapped_type>(out, "map");
    } else {
        out += '{';
        bool first = true;
        boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
            out += (first ? "\"" : ",\"") + std::string(d.name) + "\":";
            first = false;
            append_shape<std::remove_cvref_t<decltype(std::declval<T&>().*d.pointer)>>(out);
        });
        out += '}';
    }
}

template <class T>
T make_sample(const std::string& name) {
    using namespace troupe::detail;
    T out{};
    const auto number = ++counter;
    if constexpr (std::is_same_v<T, bool>) {
        out = true;
    } else if constexpr (described_enum<T>) {
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto d) { out = d.value; });
    } else if constexpr (std::is_integral_v<T>) {
        out = static_cast<T>(number % 100);
    } else if constexpr (std::is_floating_point_v<T>) {
        out = number + 0.5;
    } else if constexpr (std::is_same_v<T, std::string>) {
        out = "a \"" + name + "\" \xc3\xa9 " + std::to_string(number);
    } else if constexpr (std::is_same_v<T, json::raw>) {
        out.text = "{\"any\":[\"json\"," + std::to_string(number) + "]}";
    } else if constexpr (std::is_same_v<T, uuid>) {
        out.bytes[0] = 1;
        out.bytes[6] = 0x70;
        out.bytes[8] = 0x80;
        out.bytes[15] = static_cast<std::uint8_t>(number);
    } else if constexpr (std::is_same_v<T, timestamp>) {
        out.ms = 1'800'000'000'000 + number;
    } else if constexpr (is_optional<T>::value) {
        out = make_sample<typename T::value_type>(name);
    } else if constexpr (is_vector<T>::value || is_set<T>::value) {
        out.insert(out.end(), make_sample<typename T::value_type>(name));
    } else if constexpr (is_map<T>::value) {
        out.emplace("key", make_sample<typename T::mapped_type>(name));
    } else {
        boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
            auto& target = out.*d.pointer;
            target = make_sample<std::remove_cvref_t<decltype(target)>>(d.name);
        });
    }
    return out;
}

std::string file_text(std::string_view type, int version, const std::string& shape, const std::string& stored);
void check_shape(const std::string& what, const std::string& name, int version, const std::string& golden,
                 const std::string& now);

/// One version of the chain of Newest, then those before it.
template <class Newest, class T>
void check_chain(const std::string& folder, std::string_view type, const std::string& what);

} // namespace detail

/// The members of a type with their types, as JSON.
template <class T>
std::string shape() {
    std::string out;
    detail::append_shape<T>(out);
    return out;
}

/// A value with every member set.
template <class T>
T sample() {
    detail::counter = 0;
    return detail::make_sample<T>("value");
}

/// A stored type (an event, a state): every version of its chain has a golden file `folder/type.vN.json` whose shape is
/// that of its struct, and reads as the newest does.
template <class T>
void check_stored(const std::string& folder, std::string_view type, const std::string& what) {
    detail::check_chain<T, T>(folder, type, what);
}

/// A command: not stored by version, but it waits in timers and crosses between nodes. Its newest golden file has its
/// shape, and it reads all older ones.
template <class T>
void check_command(const std::string& folder, std::string_view type, const std::string& what) {
    const int newest = version_of<T>();
    for (int version = 1; version <= newest; ++version) {
        const auto name = folder + "/" + std::string(type) + ".v" + std::to_string(version) + ".json";
        const auto text =
            file(name, what, [&] { return detail::file_text(type, version, shape<T>(), to_json(sample<T>())); });
        if (!text) {
            continue;
        }
        const auto stored = member(*text, "stored");
        const auto read = from_json<T>(stored, strictness::stored);
        BOOST_CHECK_MESSAGE(read, what << " cannot be read as version " << version
                                       << " stored it: " << (read ? "" : read.error().detail));
        if (version == newest) {
            detail::check_shape(what, name, version, member(*text, "shape"), shape<T>());
            BOOST_CHECK_MESSAGE(!read || to_json(*read) == stored, what << " does not keep what " << name << " has");
        }
    }
}

namespace detail {

template <class Newest, class T>
void check_chain(const std::string& folder, std::string_view type, const std::string& what) {
    constexpr int version = version_of<T>();
    constexpr int newest = version_of<Newest>();
    const auto stem = folder + "/" + std::string(type) + ".v" + std::to_string(version);
    const auto text =
        file(stem + ".json", what, [&] { return file_text(type, version, shape<T>(), to_json(sample<T>())); });
    if (text) {
        check_shape(what, stem + ".json", version, member(*text, "shape"), shape<T>());
        const auto stored = member(*text, "stored");
        const auto read = read_stored<Newest>(static_cast<std::uint16_t>(version), stored);
        BOOST_CHECK_MESSAGE(read, what << " of version " << version
                                       << " cannot be read any more: " << (read ? "" : read.error().detail));
        if (read && version == newest) {
            BOOST_CHECK_MESSAGE(to_json(*read) == stored, what << " does not keep what " << stem << ".json has");
        } else if (read) {
            const auto upcast_name = stem + "-as-v" + std::to_string(newest) + ".json";
            const auto upcast = file(upcast_name, what, [&] { return to_json(*read) + "\n"; });
            BOOST_CHECK_MESSAGE(!upcast || *upcast == to_json(*read) + "\n",
                                what << " of version " << version << " is upcast to something else than " << upcast_name
                                     << " says: upcasters do not change once they are released");
        }
    }
    if constexpr (troupe::detail::has_previous<T>) {
        check_chain<Newest, typename T::previous>(folder, type, what);
    }
}

} // namespace detail

} // namespace troupe::test::golden
