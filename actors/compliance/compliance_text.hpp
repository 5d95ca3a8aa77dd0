#pragma once

#include "schemas/compliance.hpp"

#include <string>

namespace troupe::actors {

/// A line for each check (RFC 4180), with its evidence as "name=value; …".
std::string evaluation_csv(const std::string& subject, const compliance_evaluation& evaluation);

} // namespace troupe::actors
