/** Has no function to call. */
export default 5
