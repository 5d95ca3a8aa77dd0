#pragma once

#include "schemas/base/cipher.hpp"
#include "storage/key_store.hpp"
#include "storage/store.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace troupe::test {

/// A master key that is nothing but its name: what was wrapped by one name is opened by who knows the name.
class fake_wrapping final : public storage::key_wrapping {
public:
    explicit fake_wrapping(std::string current = "first", std::string other = {})
        : current_(std::move(current)), other_(std::move(other)) {}

    [[nodiscard]] std::string wrap(const uuid& subject, std::uint32_t number, std::string_view key) const override {
        return current_ + "." + to_base64url(std::string(key) + place(subject, number));
    }
    [[nodiscard]] bool is_current(std::string_view wrapped) const override {
        return wrapped.starts_with(current_ + ".");
    }
    [[nodiscard]] expected<wiped_text> unwrap(const uuid& subject, std::uint32_t number,
                                              std::string_view wrapped) const override {
        const auto dot = std::min(wrapped.find('.'), wrapped.size());
        const auto name = wrapped.substr(0, dot);
        auto bytes = from_base64(wrapped.substr(std::min(dot + 1, wrapped.size())));
        if ((name != current_ && (other_.empty() || name != other_)) || !bytes ||
            !bytes->ends_with(place(subject, number))) {
            return problem{code::secrets_locked, "wrapped by " + std::string(name)};
        }
        bytes->resize(bytes->size() - place(subject, number).size());
        return wiped_text(std::move(*bytes));
    }

private:
    static std::string place(const uuid& subject, std::uint32_t number) {
        return to_string(subject) + std::to_string(number);
    }
    std::string current_;
    std::string other_;
};

inline expected<std::unique_ptr<storage::key_store>> open_keys(const std::filesystem::path& folder,
                                                               std::string current = "first", std::string other = {}) {
    return storage::key_store::open(folder, std::make_shared<fake_wrapping>(std::move(current), std::move(other)));
}

/// Keys in the folder that they have in a data directory.
inline void attach_fake_keys(storage::store& s) {
    auto keys = open_keys(storage::store::keys_folder(s.directory()));
    BOOST_REQUIRE_MESSAGE(keys.has_value(), (keys ? "" : keys.error().detail));
    s.attach_keys(std::move(*keys));
}

} // namespace troupe::test
