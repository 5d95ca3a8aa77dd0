#pragma once

#include "schemas/base/clock.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Signatures of requests to S3 and what speaks its protocol: AWS Signature Version 4, with the signature in a header
/// ("Authenticating Requests: Using the Authorization Header" of the S3 API reference). Pure.
namespace troupe::net {

struct s3_credentials {
    std::string access_key;
    std::string secret_key;
    std::string session_token; ///< Of temporary credentials; may be empty.
};

struct s3_request {
    std::string method = "GET";
    std::string host; ///< As in the header: with the port when it is not the scheme's.
    std::string path; ///< Encoded, begins with '/'.
    std::vector<std::pair<std::string, std::string>> query; ///< Not encoded.
    std::string payload_sha256;                             ///< Lower-case hexadecimal, also of an empty body.
};

/// The headers to send besides Host: x-amz-date, x-amz-content-sha256, x-amz-security-token, Authorization.
std::vector<std::pair<std::string, std::string>> sign(const s3_request& request, const s3_credentials& who,
                                                      std::string_view region, timestamp now);

/// Percent-encodes all but letters, digits and -._~, and '/' where it is kept.
std::string s3_encode(std::string_view text, bool keep_slashes);
/// "a=1&b=": sorted and encoded, as it is signed and as it is sent.
std::string s3_query(std::vector<std::pair<std::string, std::string>> query);

} // namespace troupe::net
