// Result<T, E>: a value, or the reason why there is none. The one header that names Boost.Outcome.
//
// An expected failure (bad bytes, a missing file) is a Result; a broken invariant stops the process.
//
// basic_result.hpp alone: result.hpp brings 2 s of compiling into nearly every file.

#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>

namespace tocsin {

template <class T, class E>
using Result = BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, E, BOOST_OUTCOME_V2_NAMESPACE::policy::all_narrow>;

using BOOST_OUTCOME_V2_NAMESPACE::failure;
using BOOST_OUTCOME_V2_NAMESPACE::success;

}  // namespace tocsin
