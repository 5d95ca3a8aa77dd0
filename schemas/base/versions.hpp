#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/features.hpp"

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// Stored types that change: a chain of versions, each read by the program that knows the newest.
///
///     namespace v1 { struct thing_made { std::string name; }; }              // as it was stored once
///     struct thing_made {
///         static constexpr int version = 2;
///         using previous = v1::thing_made;                                   // of version 1
///         std::string name;
///         std::string owner;
///     };
///     inline thing_made upcast(v1::thing_made old) { return {std::move(old.name), "nobody"}; }  // beside v1
///
/// Upcasters are total, pure, and stand in the model's folder for ever. What is stored is never rewritten.
/// tests/golden has a sample of every version that was ever stored.
///
/// A version that nodes of a cluster may not know yet names its feature, and how it is stored without it:
///
///         static constexpr std::string_view feature = "thing_owner";
///     inline v1::thing_made downcast(const thing_made& now) { return {now.name}; }  // beside `upcast`
///
/// A type that is new as a whole has the feature alone: until it is on, what would need it is refused.
namespace troupe {

/// The version under which a type is stored: its constant `version`, else 1. A data member of that name says nothing.
template <class T>
constexpr std::uint16_t version_of() {
    // A pointer: static. A data member would give a pointer to member.
    if constexpr (requires { requires std::is_pointer_v<decltype(&T::version)>; }) {
        return T::version;
    } else {
        return 1;
    }
}

namespace detail {

template <class T>
concept has_previous = requires {
    typename T::previous;
};

/// The oldest version that the chain of T reads.
template <class T>
constexpr std::uint16_t oldest_version_of() {
    if constexpr (has_previous<T>) {
        return oldest_version_of<typename T::previous>();
    } else {
        return version_of<T>();
    }
}

template <class T>
concept has_feature = requires {
    { T::feature } -> std::convertible_to<std::string_view>;
};
template <class T>
concept has_downcast = has_previous<T> && requires(const T& value) {
    downcast(value);
};

inline problem feature_is_off(std::string_view what, std::string_view feature) {
    return {code::unavailable, "'" + std::string(what) + "' needs the feature '" + std::string(feature) +
                                   "', which some nodes of the cluster do not know: bring all of them up to date. "
                                   "`troupe cluster status` names them"};
}

inline problem unreadable_version(std::uint16_t found, std::uint16_t oldest, std::uint16_t newest) {
    const auto known = oldest == newest ? "version " + std::to_string(newest)
                                        : "versions " + std::to_string(oldest) + " to " + std::to_string(newest);
    return found > newest
               ? problem{code::data_dir_newer, "it has version " + std::to_string(found) +
                                                   ", written by a newer Troupe; this one knows " + known +
                                                   ": run the newer one again"}
               : problem{code::quarantined, "it has version " + std::to_string(found) +
                                                ", which this Troupe does not read any more; it knows " + known};
}

} // namespace detail

/// Reads what was stored under `version` and brings it up to date. `data_dir_newer` for a version that only a newer
/// program knows, `quarantined` for one before the chain.
template <class T>
expected<T> read_stored(std::uint16_t version, std::string_view payload) {
    constexpr auto newest = version_of<T>();
    if (version == newest) {
        return from_json<T>(payload, strictness::stored);
    }
    if constexpr (detail::has_previous<T>) {
        using before = typename T::previous;
        static_assert(version_of<before>() + 1 == newest, "`previous` is the version before this one");
        static_assert(std::is_same_v<decltype(upcast(std::declval<before>())), T>, "upcast(previous) gives this type");
        if (version < newest && version >= detail::oldest_version_of<T>()) {
            auto old = read_stored<before>(version, payload);
            return old ? expected<T>(upcast(std::move(*old))) : expected<T>(old.error());
        }
    }
    return detail::unreadable_version(version, detail::oldest_version_of<T>(), newest);
}

/// What is written, and the version that says how to read it.
struct stored_form {
    std::uint16_t version = 1;
    std::string payload;
};

/// The form in which a value is stored while these features are on; null: all are. `value` becomes what is read back
/// from it. `unavailable` when there is none, since a type is new as a whole.
template <class T>
expected<stored_form> store_as(T& value, std::string_view name, const feature_set* on) {
    if constexpr (detail::has_feature<T>) {
        if (on && !on->contains(T::feature)) {
            if constexpr (detail::has_downcast<T>) {
                auto before = downcast(value);
                static_assert(std::is_same_v<decltype(before), typename T::previous>,
                              "downcast(this) gives `previous`");
                auto form = store_as(before, name, on);
                value = upcast(std::move(before));
                return form;
            } else {
                return detail::feature_is_off(name, T::feature);
            }
        }
    }
    return stored_form{version_of<T>(), to_json(value)};
}

/// The same for one alternative of a variant, by its stored name.
template <class Variant>
expected<Variant> read_stored_named(std::string_view name, std::uint16_t version, std::string_view payload) {
    expected<Variant> out = problem{code::invalid_request, "there is no message type '" + std::string(name) + "'"};
    boost::mp11::mp_for_each<boost::mp11::mp_transform<boost::mp11::mp_identity, Variant>>([&](auto alternative) {
        using T = typename decltype(alternative)::type;
        if (wire_name<T>::value == name) {
            auto read = read_stored<T>(version, payload);
            out = read ? expected<Variant>(Variant(std::move(*read))) : expected<Variant>(read.error());
        }
    });
    return out;
}

} // namespace troupe
