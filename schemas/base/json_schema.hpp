#pragma once

#include "schemas/base/problem.hpp"

#include <memory>
#include <string_view>

namespace troupe {

/// A JSON Schema (draft 7) that documents are held against. Copies share it; thread-safe.
class json_schema_check {
public:
    /// `invalid_request`: no schema that can be used; references to other documents are none.
    static expected<json_schema_check> parse(std::string_view schema);

    /// `invalid_request` with each thing that does not fit, by JSON pointers.
    [[nodiscard]] expected<void> check(std::string_view document) const;

private:
    struct impl;
    std::shared_ptr<const impl> impl_;
};

} // namespace troupe
